package toy

import (
	"feedgate/gateway/wire"
)

// Decode implements [wire.Conn].
func (c *conn) Decode(buf []byte, in *wire.Input) *wire.Error {
	in.Need = 0
	for !c.closed {
		if c.skip.Active() {
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

// decodePlain decodes the run of complete messages at in.Scan, which is nearly all of a feed.
func (c *conn) decodePlain(buf []byte, in *wire.Input) {
	msgs, at, seq := in.Msgs, in.Scan, c.received
	for len(msgs) < cap(msgs) && seq < c.granted && len(buf)-at >= messageHead {
		b := buf[at:]
		h, size := parseHeader(b), frameSize(b)
		if b[typeOffset] != Message || h.data < 0 || h.data > c.settings.MaxMessage || int64(len(b)) < size {
			break
		}
		seq++
		*c.id(seq) = h.id
		from := int64(idOffset)
		if !c.settings.Heads {
			from = messageHead + h.topic
		}
		msgs = append(msgs, wire.Msg{Seq: seq, Off: uint32(int64(at) + from), Len: uint32(size - from)})
		at += int(size)
	}
	c.received = seq
	in.Msgs = msgs
	in.AdvanceTo(at)
}

// frame decodes the frame at in.Scan that decodePlain has left: one of another type, or a message
// that is incomplete, too long or malformed. It returns false if the frame is incomplete.
func (c *conn) frame(buf []byte, in *wire.Input) (whole bool, err *wire.Error) {
	b := buf[in.Scan:]
	if len(b) < frameHead {
		in.Need = frameHead
		return false, nil
	}
	kind, size := b[typeOffset], frameSize(b)
	switch {
	case size < frameHead:
		return false, wire.Errorf(wire.BadLength, wire.CloseProtocolError, "frame of length 0")
	case !known(kind):
		return false, wire.Errorf(wire.UnknownOp, wire.CloseProtocolError, "frame of type %#x", kind)
	case !c.expects(kind):
		return false, wire.Errorf(wire.UnexpectedOp, wire.CloseProtocolError, "frame %c is not expected here", kind)
	case kind == Message:
		return c.message(buf, in)
	case size > frameHead+maxControl:
		return false, wire.Errorf(wire.TooLarge, wire.CloseTooLarge, "frame %c of %d bytes", kind, size)
	case int64(len(b)) < size:
		in.Need = int(size)
		return false, nil
	}
	in.Advance(int(size))
	return true, c.control(kind, b[frameHead:size], in)
}

// expects reports whether the server may send a frame of a known type now.
func (c *conn) expects(kind byte) bool {
	switch kind {
	case Message:
		return c.ready
	case Accepted, Refused:
		return !c.ready
	}
	return kind == Ping || kind == Pong || kind == Goodbye
}

// message decodes a message that decodePlain leaves.
func (c *conn) message(buf []byte, in *wire.Input) (whole bool, err *wire.Error) {
	b, number := buf[in.Scan:], c.received+1
	if number > c.granted {
		return false, wire.Errorf(badCredit, wire.CloseProtocolError, "message %d: no credit for it", number)
	}
	size := frameSize(b)
	if size < messageHead {
		return false, wire.Errorf(wire.BadLength, wire.CloseProtocolError, "message %d: frame of %d bytes", number, size)
	}
	if len(b) < messageHead {
		in.Need = messageHead
		return false, nil
	}
	h := parseHeader(b)
	switch {
	case h.data < 0:
		return false, wire.Errorf(wire.BadLength, wire.CloseProtocolError, "message %d: topic of %d bytes in a frame of %d", number, h.topic, size)
	case uint64(h.data) > wire.SkipLimit(c.settings.MaxMessage):
		return false, wire.Errorf(wire.TooLarge, wire.CloseTooLarge, "message %d: %d bytes are too many to skip", number, h.data)
	case h.data <= c.settings.MaxMessage:
		in.Need = int(size)
		return false, nil
	}
	c.received = number
	*c.id(number) = h.id
	c.skip.Begin(buf, in)
	in.Advance(messageHead)
	c.skip.Add(uint64(h.topic), uint64(h.data), 0)
	return true, nil
}
