package nsq

import (
	"bytes"
	"encoding/binary"
	"time"

	"feedgate/gateway/wire"
)

// phase is where a connection stands; it goes down the list.
type phase uint8

const (
	identifying phase = iota // IDENTIFY is not answered
	securing                 // the handshake of TLS, and the OK behind it
	authorizing              // AUTH is not answered
	subscribing              // SUB is not answered
	open
	closing // the server said CLOSE_WAIT
	closed  // the login is refused; nothing behind that counts
)

// conn is the state of one connection, owned by the loop.
type conn struct {
	wire.Base

	p       *protocol
	phase   phase
	token   []byte // nil once it is known that it is not wanted; else to mask it
	server  server
	flight  flight
	stopped bool // CLS was said

	skip         wire.Skipper
	skipID       messageID
	skipAttempts uint16

	said  bool          // something was, since the last Tick
	quiet time.Duration // when a Tick last found that something was
	ready int64         // the last RDY
	mean  int64         // bytes of a message with its head, on average; 0: none has come

	seen  bool          // there was a Tick
	last  time.Duration // of the last Tick
	armed bool          // next is set
	next  time.Duration // when Tick is due
}

// Responses other than JSON.
var (
	heartbeat = []byte("_heartbeat_")
	okay      = []byte("OK")
	closeWait = []byte("CLOSE_WAIT")
)

// Decode keeps Start, Keep and Scan together, at the first byte that is not decoded.
func (c *conn) Decode(buf []byte, in *wire.Input) *wire.Error {
	in.Need = 0
	if c.phase == closed {
		in.Discard(buf)
		return nil
	}
	for {
		if c.skip.Active() {
			if in.Full() || !c.skip.Pass(buf, in) {
				return nil
			}
			c.endSkip(in)
		}
		if c.phase >= open {
			c.decodePlain(buf, in)
		}
		if in.Full() {
			return nil
		}
		whole, err := c.frame(buf, in)
		if err != nil || !whole || in.Event.Kind != wire.EventNone {
			return err
		}
	}
}

// decodePlain takes the run of whole messages at in.Scan: what nearly every byte belongs
// to. It stops before the first frame that is anything else, or at fault.
func (c *conn) decodePlain(buf []byte, in *wire.Input) {
	had := len(in.Msgs)
	n, at := c.flight.framePlain(buf, in.Scan, uint64(c.p.cfg.MaxMessage), c.p.head(), in.Msgs[had:cap(in.Msgs)])
	c.flight.add(n)
	if n > 0 {
		c.weigh(n, at-in.Scan, in)
	}
	in.Msgs = in.Msgs[:had+n]
	in.AdvanceTo(at)
}

// frame decodes the frame at in.Scan, which decodePlain has left. False means that it is
// not whole yet.
func (c *conn) frame(buf []byte, in *wire.Input) (whole bool, err *wire.Error) {
	rest := buf[in.Scan:]
	size := leastSize
	if len(rest) >= sizeField {
		if size = int(int32(binary.BigEndian.Uint32(rest))); size < leastSize {
			return false, c.errorf(wire.BadLength, "a frame of size %d, the least is %d", size, leastSize)
		}
	}
	if len(rest) < headSize {
		in.Need = headSize
		return false, nil
	}
	switch kind := binary.BigEndian.Uint32(rest[sizeField:]); kind {
	case frameMessage:
		return c.message(rest, size, in)
	case frameResponse, frameError:
		if said := size - leastSize; said > maxReply {
			return false, c.errorf(wire.TooLarge, "a reply of %d bytes, at most %d", said, maxReply)
		}
		if len(rest)-sizeField < size {
			in.Need = sizeField + size
			return false, nil
		}
		in.Advance(sizeField + size)
		if said := rest[headSize : sizeField+size]; kind == frameError {
			err = c.complaint(said, in)
		} else {
			err = c.response(said, len(buf)-in.Scan, in)
		}
		return true, err
	default:
		return false, c.errorf(wire.UnknownOp, "a frame of type %d", kind)
	}
}

// message deals with the message that rest begins with: too large, at fault, or not whole.
func (c *conn) message(rest []byte, size int, in *wire.Input) (whole bool, err *wire.Error) {
	switch {
	case size < leastMessage:
		return false, c.errorf(wire.BadLength, "a message of size %d, the least is %d", size, leastMessage)
	case c.phase < open:
		return false, c.errorf(wire.UnexpectedOp, "a message before the login is over")
	case int64(size-leastMessage) <= c.p.cfg.MaxMessage:
		in.Need = sizeField + size
		return false, nil
	case len(rest) < messageHead:
		in.Need = messageHead
		return false, nil
	}
	c.skipID = messageID(rest[idAt:])
	c.skipAttempts = binary.BigEndian.Uint16(rest[attemptsAt:])
	in.Advance(messageHead)
	c.skip.Begin(nil, in)
	c.skip.Add(0, uint64(size-leastMessage), 0)
	return true, nil
}

// endSkip refuses the message that was skipped.
func (c *conn) endSkip(in *wire.Input) {
	c.flight.note(c.skipID, c.skipAttempts)
	c.flight.add(1)
	c.skip.End(in, wire.Msg{Seq: c.flight.newest})
}

// response takes a response; behind more bytes lie in the buffer.
func (c *conn) response(said []byte, behind int, in *wire.Input) *wire.Error {
	switch {
	case bytes.Equal(said, heartbeat):
		// Where nsqd waits for TLS, it would take a NOP for the handshake.
		if c.phase != identifying || !c.p.cfg.Secure {
			c.say(in, cmdNop)
		}
		return nil
	case c.phase < open:
		return c.login(said, behind, in)
	case c.phase == open && bytes.Equal(said, closeWait):
		// What nsqd's other goroutine had in hand may still come.
		c.phase = closing
		in.Event = wire.Event{Kind: wire.EventClose, Code: wire.CloseOK, Clean: c.stopped}
		return nil
	}
	return c.errorf(wire.UnexpectedOp, "a response of %d bytes that was not asked for", len(said))
}

// say appends a whole command to what is owed at once.
func (c *conn) say(in *wire.Input, parts ...string) {
	for _, s := range parts {
		in.Out = append(in.Out, s...)
	}
	c.said = true
}

// errorf is a fault in a frame; it says where that is.
func (c *conn) errorf(reason, format string, args ...any) *wire.Error {
	if c.phase >= open {
		format = "behind message %d: " + format
		args = append([]any{c.flight.newest}, args...)
	}
	return wire.Errorf(reason, wire.CloseProtocolError, format, args...)
}

// End finds a connection lost; that is no fault of the protocol.
func (c *conn) End([]byte, *wire.Input, bool) *wire.Error { return nil }
