package toy

import (
	"feedgate/gateway/wire"
	"feedgate/worker"
)

// Decode implements [wire.Conn].
func (c *conn) Decode(buf []byte, in *wire.Input) *wire.Error {
	in.Need = 0
	for !c.closed {
		if c.skip.On() {
			if in.Full() || !c.skip.Pass(buf, in) {
				return nil
			}
			c.skip.End(in, wire.Msg{Seq: c.received})
		}
		c.decodePlain(buf, in)
		if in.Full() {
			return nil
		}
		whole, err := c.frame(buf, in)
		if err != nil || !whole || in.Event.Kind != wire.EventNone {
			return err
		}
	}
	in.Discard(buf)
	return nil
}

// decodePlain decodes the run of whole messages at in.Scan, which is nearly all of a feed.
func (c *conn) decodePlain(buf []byte, in *wire.Input) {
	msgs, at, seq := in.Msgs, in.Scan, c.received
	for len(msgs) < cap(msgs) && seq < c.granted && len(buf)-at >= messageHead {
		b := buf[at:]
		m := parseHeader(b)
		size := frameSize(b)
		if b[typeOffset] != Message || m.data < 0 || m.data > c.settings.MaxMessage || int64(len(b)) < size {
			break
		}
		seq++
		*c.id(seq) = m.id
		head := int64(idOffset)
		if !c.settings.Heads {
			head = messageHead + m.topic
		}
		msgs = append(msgs, wire.Msg{Seq: seq, Off: uint32(int64(at) + head), Len: uint32(size - head)})
		at += int(size)
	}
	c.received = seq
	in.Msgs = msgs
	in.AdvanceTo(at)
}

// frame decodes the frame at in.Scan that decodePlain has left: one of another type, or a
// message that is too long, wrong or incomplete. False: more bytes must come first.
func (c *conn) frame(buf []byte, in *wire.Input) (whole bool, err *wire.Error) {
	b := buf[in.Scan:]
	if len(b) < frameHead {
		in.Need = frameHead
		return false, nil
	}
	kind, body := b[typeOffset], frameSize(b)-frameHead
	if err := c.check(kind, body); err != nil {
		return false, err
	}
	if kind == Message {
		return c.message(b, buf, in)
	}
	if size := frameHead + int(body); len(b) < size {
		in.Need = size
		return false, nil
	}
	in.Advance(frameHead + int(body))
	return true, c.control(kind, b[frameHead:frameHead+body], in)
}

// check checks the head of a frame.
func (c *conn) check(kind byte, body int64) *wire.Error {
	known := true
	switch kind {
	case Message:
		known = c.ready
	case Accepted, Refused:
		known = !c.ready
	case Ping, Pong, Goodbye:
	case Login, Ack, Credit:
		known = false
	default:
		return wire.Errorf(wire.UnknownOp, wire.CloseProtocolError, "frame type %#x", kind)
	}
	switch {
	case body < 0:
		return wire.Errorf(wire.BadLength, wire.CloseProtocolError, "frame of length 0")
	case !known:
		return wire.Errorf(wire.UnexpectedOp, wire.CloseProtocolError, "frame %c is not expected here", kind)
	case kind == Message:
		return c.checkMessage(body)
	case body > maxControl:
		return wire.Errorf(wire.TooLarge, worker.TooLarge, "frame %c: body of %d bytes, at most %d", kind, body, maxControl)
	}
	return nil
}

func (c *conn) checkMessage(body int64) *wire.Error {
	if body < headMin {
		return wire.Errorf(wire.BadLength, wire.CloseProtocolError, "message %d: body of %d bytes", c.received+1, body)
	}
	if c.received == c.granted {
		return wire.Errorf(badCredit, wire.CloseProtocolError, "message %d: no credit for it", c.received+1)
	}
	return nil
}

// message decodes the message that b, buf from in.Scan on, begins with. It is too long, wrong
// or incomplete.
func (c *conn) message(b, buf []byte, in *wire.Input) (whole bool, err *wire.Error) {
	if len(b) < messageHead {
		in.Need = messageHead
		return false, nil
	}
	m := parseHeader(b)
	if m.data < 0 {
		return false, wire.Errorf(wire.BadLength, wire.CloseProtocolError, "message %d: topic of %d bytes", c.received+1, m.topic)
	}
	if m.data <= c.settings.MaxMessage {
		in.Need = int(frameSize(b))
		return false, nil
	}
	c.received++
	*c.id(c.received) = m.id
	c.skip.Begin(buf, in)
	c.skip.Add(uint64(m.topic), uint64(m.data), 0)
	in.Advance(messageHead)
	return true, nil
}
