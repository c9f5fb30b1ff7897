package assemble

import (
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// mixed is an inner protocol that does all that a Conn may do. A frame is a kind, the
// length of its payload in a byte, and the payload.
var mixed = &wire.Codec{NewConn: func() wire.Conn { return &mixedConn{} }}

const (
	message  = 'm'
	fragment = 'f' // joined in place
	final    = 'e' // the last fragment
	outside  = 'o' // does not lie in the buffer
	refusal  = 'r' // without data
	question = '?' // answered at once
	leaving  = '.' // EventClose
	fault    = 'x' // an error
)

// mixed is an inner protocol that does everything a Conn may do. A frame is a kind, the length of
// its payload in one byte, and the payload.
type mixedConn struct {
	wire.Conn
	ready   bool
	joining bool
	seq     uint64
}

// errFault is the error of a frame of kind fault.
var errFault = wire.Errorf(wire.UnknownOp, wire.CloseBadRequest, "fault")

func (c *mixedConn) AppendHello(dst []byte, _ wire.Hello) []byte { return dst }

func (c *mixedConn) Tick(dst []byte, _ time.Duration) ([]byte, time.Duration) { return dst, 0 }

func (c *mixedConn) Decode(buf []byte, in *wire.Input) *wire.Error {
	in.Need = 0
	if !c.ready {
		c.ready = true
		in.Event = wire.Event{Kind: wire.EventReady, First: 1, Each: true}
		return nil
	}
	for !in.Full() && in.Event.Kind == wire.EventNone {
		frame := buf[in.Scan:]
		if in.Need = 2; len(frame) < 2 {
			return nil
		}
		if in.Need += int(frame[1]); len(frame) < in.Need {
			return nil
		}
		size := in.Need
		in.Need = 0
		err := c.frame(buf, in, frame[0], frame[2:size])
		in.Scan += size
		if !c.joining {
			in.Start, in.Keep = in.Scan, in.Scan
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *mixedConn) frame(buf []byte, in *wire.Input, kind byte, payload []byte) *wire.Error {
	switch kind {
	case question:
		in.Out = append(in.Out, '!')
		return nil
	case fault:
		return errFault
	case leaving:
		in.Event = wire.Event{Kind: wire.EventClose, Clean: true}
		return nil
	}
	off := in.Scan + 2
	if kind == fragment || kind == final {
		if !c.joining {
			c.joining, in.Start, in.Keep = true, off, off
		}
		in.Keep += copy(buf[in.Keep:], payload)
		if kind == fragment {
			return nil
		}
		c.joining, off, payload = false, in.Start, buf[in.Start:in.Keep]
	}
	c.seq++
	m := wire.Msg{Seq: c.seq, Tag: uint8(c.seq % 7)}
	switch kind {
	case refusal:
		m.Code = worker.Refused
		in.Msgs = append(in.Msgs, m)
	case outside:
		m.Side, m.Off, m.Len = true, uint32(len(in.Side)), uint32(len(payload))
		in.Side = append(in.Side, payload...)
		in.Msgs = append(in.Msgs, m)
	default:
		m.Off, m.Len = uint32(off), uint32(len(payload))
		in.Msgs = append(in.Msgs, m)
	}
	return nil
}
