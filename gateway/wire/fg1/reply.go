package fg1

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"slices"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

type hello struct {
	Version int    `json:"version"`
	Client  string `json:"client"`
	Session string `json:"session"`
	Token   string `json:"token"`
}

// AppendHello appends HELLO.
func (c *conn) AppendHello(dst []byte, h wire.Hello) []byte {
	payload, err := json.Marshal(hello{1, h.Client, h.Session, string(h.Token)})
	if err != nil {
		panic(err) // strings and a number always encode
	}
	return AppendFrame(dst, Hello, 0, 0, h.Seq, payload)
}

// AppendAcks appends ACK frames.
func (c *conn) AppendAcks(dst []byte, seq uint64, n int, code worker.Code) []byte {
	dst, frames := extend(dst, n*HeaderSize)
	head := ackHead(code)
	for b := frames; len(b) >= HeaderSize; b = b[HeaderSize:] {
		binary.BigEndian.PutUint64(b[0:8], head)
		binary.BigEndian.PutUint64(b[8:16], seq)
		seq++
	}
	return dst
}

// AppendAckSet implements [wire.SetAcker].
func (c *conn) AppendAckSet(dst []byte, seq, set uint64) []byte {
	dst, frames := extend(dst, bits.OnesCount64(set)*HeaderSize)
	head := ackHead(worker.OK)
	for b := frames; len(b) >= HeaderSize; b = b[HeaderSize:] {
		binary.BigEndian.PutUint64(b[0:8], head)
		binary.BigEndian.PutUint64(b[8:16], seq+uint64(bits.TrailingZeros64(set)))
		set &= set - 1
	}
	return dst
}

// ackHead returns the first 8 bytes of an ACK frame.
func ackHead(code worker.Code) uint64 { return uint64(minLength)<<32 | uint64(Ack)<<24 | uint64(code) }

// extend extends dst by n bytes, which it also returns by themselves.
func extend(dst []byte, n int) (all, added []byte) {
	at := len(dst)
	all = slices.Grow(dst, n)[:at+n]
	return all, all[at:]
}

// AppendAckTo appends ACKTO.
func (c *conn) AppendAckTo(dst []byte, seq uint64) []byte {
	return AppendFrame(dst, AckTo, 0, 0, seq, nil)
}

// Tick appends PING when it is due. The first interval begins after WELCOME, which may set the
// interval.
func (c *conn) Tick(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	if !c.welcomed || c.closed {
		return dst, 0
	}
	due, next := c.ping.Due(now)
	if due {
		dst = AppendFrame(dst, Ping, 0, 0, 0, nil)
	}
	return dst, next
}

// AppendClose appends BYE.
func (c *conn) AppendClose(dst []byte, why wire.CloseCode) []byte {
	return AppendFrame(dst, Bye, 0, uint16(why), 0, nil)
}
