package fgcheck

import (
	"encoding/binary"
	"io"
	"math/rand/v2"

	"feedgate/gateway/wire/fg1"
)

// message sends a message, in parts where that is due, with the faults of messages.
func (c *serverConn) message(seq uint64) {
	switch {
	case c.skips && c.ses.resume && seq == c.ses.base+1,
		c.firstHigh && !c.ses.resume && seq == 1,
		c.gap && seq == 4 && !c.ses.resume,
		c.skipsAcked && seq > c.ses.sent && c.ses.done[seq]:
		return
	case c.swapped && c.ses.base <= 4 && seq == 4:
		seq = 5
	case c.swapped && c.ses.base <= 4 && seq == 5:
		seq = 4
	case c.shortFrame && seq == 3:
		_, _ = c.nc.Write(binary.BigEndian.AppendUint64([]byte{0, 0, 0, 11, byte(fg1.Ping), 0, 0, 0}, 0))
	case c.hugeControl && seq == 3:
		c.send(fg1.Ping, 0, 0, 1, string(make([]byte, 1<<20)))
	case c.strangeOp && seq == 3:
		c.send(42, 0, 0, 1, "")
	}
	flags := uint8(0)
	if c.flagged && seq == 2 {
		flags = 0x40
	}
	switch {
	case c.big && seq == 2:
		c.send(fg1.Data, 0, 0, seq, string(make([]byte, bigSize)))
	case c.partsAtEnd && seq == serverMessages:
		c.send(fg1.Data, fg1.More, 0, seq, "a")
		c.ses.base = serverMessages + 1
	case seq%partsEvery == 0:
		c.send(fg1.Data, fg1.More, 0, seq, "a")
		if c.brokenParts {
			c.send(fg1.Data, fg1.More, 0, seq+1, "a")
		}
		c.send(fg1.Ping, 0, 0, seq, "")
		c.send(fg1.Data, 0, 0, seq, "b")
	default:
		c.send(fg1.Data, flags, 0, seq, serverPayload)
	}
}

// flood sends without end, until the client closes, or noise and closes; false if the server does
// neither.
func (c *serverConn) flood() bool {
	if c.noise != 0 {
		_, _ = c.nc.Write(noise(c.noise))
		return true
	}
	frame := fg1.AppendFrame(nil, fg1.Ping, 0, 0, 1, nil)
	switch {
	case c.floodParts:
		frame = fg1.AppendFrame(nil, fg1.Data, fg1.More, 0, 1, make([]byte, 1<<10))
	case c.floodBytes:
		frame = make([]byte, 1<<20)
		fg1.PutHeader(frame, fg1.Data, 0, 0, 1, 1<<32-16)
	case !c.floodPings:
		return false
	}
	go func() { _, _ = io.Copy(io.Discard, c.r) }()
	for {
		if _, err := c.nc.Write(frame); err != nil {
			return true
		}
	}
}

// noise is a mixture of frames with random headers, whole messages and random bytes.
func noise(seed uint64) (b []byte) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		payload := make([]byte, rng.IntN(40))
		switch rng.IntN(8) {
		case 0:
			b = append(b, payload...)
		case 1, 2:
			b = fg1.AppendFrame(b, fg1.Op(rng.IntN(12)), uint8(rng.IntN(3)), uint16(rng.IntN(9)), rng.Uint64(), payload)
		default:
			b = fg1.AppendFrame(b, fg1.Data, uint8(rng.IntN(2)), 0, rng.Uint64N(5), payload)
		}
	}
	return b
}
