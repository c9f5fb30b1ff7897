package fg1

import (
	"encoding/binary"

	"feedgate/gateway/wire"
)

// maxControl is the longest payload of every frame but DATA, in bytes.
const maxControl = 64 << 10

// conn is the gateway's side of one FG/1 connection.
type conn struct {
	wire.Base

	maxMessage uint64
	ping       wire.Heartbeat

	began    bool // the first header was valid FG/1
	welcomed bool
	closed   bool // the server sent BYE; later bytes have no meaning

	// The message whose parts are being joined, between in.Start and in.Keep.
	joining  bool
	joinSeq  uint64
	skip     wire.Skipper
	skipMore bool // more parts follow the one being skipped
}

// dataHead is the low half of the first eight header bytes of a DATA frame without flags and
// code.
const dataHead = uint32(Data) << 24

// Decode implements [wire.Conn].
func (c *conn) Decode(buf []byte, in *wire.Input) *wire.Error {
	if c.closed {
		in.Discard(buf)
		return nil
	}
	for {
		if c.skip.InPiece() {
			if in.Full() || !c.skip.Pass(buf, in) {
				return nil
			}
			c.endSkip(in)
		}
		if c.welcomed && !c.joining && !c.skip.Active() {
			c.decodePlain(buf, in)
		}
		if in.Full() {
			return nil
		}
		rest := buf[in.Scan:]
		if !c.began {
			if err := notFG1(rest); err != nil {
				return err
			}
		}
		if len(rest) < HeaderSize {
			in.Need = HeaderSize
			return nil
		}
		c.began = true
		whole, err := c.frame(rest, buf, in)
		if err != nil || !whole || in.Event.Kind != wire.EventNone {
			return err
		}
	}
}

// decodePlain decodes the run of complete, single-part messages at in.Scan: nearly all of a feed.
func (c *conn) decodePlain(buf []byte, in *wire.Input) {
	msgs, at := in.Msgs, in.Scan
	for len(msgs) < cap(msgs) && len(buf)-at >= HeaderSize {
		b := buf[at : at+HeaderSize : at+HeaderSize]
		head := binary.BigEndian.Uint64(b)
		length := head >> 32
		if uint32(head) != dataHead || length-minLength > c.maxMessage || uint64(len(buf)-at) < length+4 {
			break
		}
		msgs = msgs[:len(msgs)+1]
		msgs[len(msgs)-1] = wire.Msg{
			Seq: binary.BigEndian.Uint64(b[8:]),
			Off: uint32(at + HeaderSize),
			Len: uint32(length - minLength),
		}
		at += int(length) + 4
	}
	in.Msgs = msgs
	in.AdvanceTo(at)
}

// frame decodes the frame at the beginning of rest, which is buf from in.Scan on. It returns
// false if the frame is incomplete.
func (c *conn) frame(rest, buf []byte, in *wire.Input) (whole bool, err *wire.Error) {
	h := ParseHeader(rest)
	if h.Payload() < 0 {
		return false, wire.Errorf(wire.BadLength, wire.CloseProtocolError,
			"frame op %d seq %d: length %d is under %d", h.Op, h.Seq, h.Length, minLength)
	}
	if err := c.checkHeader(h); err != nil {
		return false, err
	}
	if h.Op == Data && c.tooLarge(h, in) {
		c.startSkip(h, buf, in)
		return true, nil
	}
	size := HeaderSize + int(h.Payload())
	if len(rest) < size {
		in.Need = size
		return false, nil
	}
	in.Need = 0
	payload := rest[HeaderSize:size]
	if h.Op == Data {
		c.part(h, payload, buf, in)
	} else {
		err = c.control(h, payload, in)
	}
	in.AdvanceJoining(size, c.joining)
	return true, err
}

func (c *conn) checkHeader(h Header) *wire.Error {
	switch h.Op {
	case Data:
		if h.Flags&^More != 0 {
			return wire.Errorf(wire.BadFlags, wire.CloseProtocolError, "DATA seq %d: unknown flags %#x", h.Seq, h.Flags)
		}
		if !c.welcomed {
			return wire.Errorf(wire.UnexpectedOp, wire.CloseProtocolError, "DATA seq %d before WELCOME", h.Seq)
		}
		if (c.joining || c.skip.Active()) && h.Seq != c.joinSeq {
			return wire.Errorf(wire.Parts, wire.CloseProtocolError,
				"DATA seq %d while seq %d is unfinished", h.Seq, c.joinSeq)
		}
		return nil
	case Welcome:
		if c.welcomed {
			return wire.Errorf(wire.UnexpectedOp, wire.CloseProtocolError, "a second WELCOME")
		}
	case Ping, Pong, Bye:
	case Hello, Ack, AckTo:
		return wire.Errorf(wire.UnexpectedOp, wire.CloseProtocolError, "op %d from the server, seq %d", h.Op, h.Seq)
	default:
		return wire.Errorf(wire.UnknownOp, wire.CloseProtocolError, "op %d, seq %d", h.Op, h.Seq)
	}
	if h.Flags != 0 {
		return wire.Errorf(wire.BadFlags, wire.CloseProtocolError, "op %d seq %d: unknown flags %#x", h.Op, h.Seq, h.Flags)
	}
	if h.Payload() > maxControl {
		return wire.Errorf(wire.TooLarge, wire.CloseTooLarge, "op %d seq %d: payload of %d bytes, at most %d",
			h.Op, h.Seq, h.Payload(), maxControl)
	}
	return nil
}

func (c *conn) tooLarge(h Header, in *wire.Input) bool {
	return c.skip.Active() || c.joined(in)+uint64(h.Payload()) > c.maxMessage
}

// joined returns how many bytes of the message being joined have arrived.
func (c *conn) joined(in *wire.Input) uint64 {
	if !c.joining {
		return 0
	}
	return uint64(in.Keep - in.Start)
}

// startSkip skips a DATA frame, and drops the parts joined before it.
func (c *conn) startSkip(h Header, buf []byte, in *wire.Input) {
	if !c.skip.Active() {
		c.skip.Begin(buf, in)
	}
	c.skip.Add(0, uint64(h.Payload()), 0)
	c.joining = false
	c.joinSeq, c.skipMore = h.Seq, h.Flags&More != 0
	in.Advance(HeaderSize)
}

// endSkip refuses the message after its last part.
func (c *conn) endSkip(in *wire.Input) {
	if c.skipMore {
		return
	}
	c.skip.End(in, wire.Msg{Seq: c.joinSeq})
}

// part decodes a DATA frame that decodePlain leaves: one of several parts, or one with a code.
// Parts are joined in place: each is moved down to the end of the one before.
func (c *conn) part(h Header, payload, buf []byte, in *wire.Input) {
	if !c.joining {
		c.joining, c.joinSeq = true, h.Seq
		in.Start = in.Scan + HeaderSize
		in.Keep = in.Start
	}
	in.Keep += copy(buf[in.Keep:], payload)
	if h.Flags&More != 0 {
		return
	}
	c.joining = false
	in.Msgs = append(in.Msgs, wire.Msg{Seq: h.Seq, Off: uint32(in.Start), Len: uint32(in.Keep - in.Start)})
}

// drop drops the unfinished message, because no more parts will arrive. It returns nil if there
// is none.
func (c *conn) drop(in *wire.Input) *wire.Error {
	n := c.joined(in)
	switch {
	case c.skip.Active():
		n = c.skip.Size
	case !c.joining:
		return nil
	}
	c.joining, c.skip = false, wire.Skipper{}
	return wire.Errorf(wire.Truncated, wire.CloseOK,
		"BYE while DATA seq %d is unfinished: %d bytes of it dropped", c.joinSeq, n)
}

// End implements [wire.Conn]. Without BYE the connection is lost, which is no fault of the
// protocol.
func (c *conn) End([]byte, *wire.Input, bool) *wire.Error { return nil }
