package nsq

import (
	"bytes"
	"encoding/binary"
	"time"

	"feedgate/gateway/wire"
)

// phase is the state of a connection. It only moves down this list.
type phase uint8

const (
	identifying phase = iota // IDENTIFY is unanswered
	startingTLS              // the TLS handshake, and the OK after it
	authorizing              // AUTH is unanswered
	subscribing              // SUB is unanswered
	open
	closing // the server has sent CLOSE_WAIT
	closed  // the login was refused; later bytes have no meaning
)

// conn is the state of one connection. It belongs to the loop.
type conn struct {
	wire.Base

	p       *protocol
	phase   phase
	token   []byte // to send and to mask; nil if the server does not require it
	server  server
	flight  flight
	stopped bool // CLS was sent
	probe   bool // as Hello.Probe: SUB is not sent

	skip         wire.Skipper
	skipID       messageID
	skipAttempts uint16

	sent     bool          // a command was sent since the last Tick
	lastSent time.Duration // the last Tick that found a command sent
	ready    int64         // the last RDY count
	mean     int64         // average length of a message with its head, in bytes; 0: none yet

	ticked bool          // Tick has been called
	last   time.Duration // time of the last Tick
	armed  bool          // next is set
	next   time.Duration // when Tick is due
}

// Responses other than JSON.
var (
	heartbeat = []byte("_heartbeat_")
	okay      = []byte("OK")
	closeWait = []byte("CLOSE_WAIT")
)

// Decode keeps Start, Keep and Scan together, at the first undecoded byte.
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

// decodePlain decodes the run of complete messages at in.Scan: nearly all of a feed. It stops
// before any other frame, and before a fault.
func (c *conn) decodePlain(buf []byte, in *wire.Input) {
	had := len(in.Msgs)
	n, at := c.flight.framePlain(buf, in.Scan, uint64(c.p.cfg.MaxMessage), c.p.head(), in.Msgs[had:cap(in.Msgs)])
	c.flight.add(n)
	if n > 0 {
		c.updateMean(n, at-in.Scan, in)
	}
	in.Msgs = in.Msgs[:had+n]
	in.AdvanceTo(at)
}

// frame decodes the frame at in.Scan that decodePlain has left. It returns false if the frame is
// incomplete.
func (c *conn) frame(buf []byte, in *wire.Input) (whole bool, err *wire.Error) {
	rest := buf[in.Scan:]
	size := minSize
	if len(rest) >= sizeField {
		if size = int(int32(binary.BigEndian.Uint32(rest))); size < minSize {
			return false, c.errorf(wire.BadLength, "a frame of size %d, the least is %d", size, minSize)
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
		if n := size - minSize; n > maxReply {
			return false, c.errorf(wire.TooLarge, "a reply of %d bytes, at most %d", n, maxReply)
		}
		if len(rest)-sizeField < size {
			in.Need = sizeField + size
			return false, nil
		}
		in.Advance(sizeField + size)
		if body := rest[headSize : sizeField+size]; kind == frameError {
			err = c.errorFrame(body, in)
		} else {
			err = c.response(body, len(buf)-in.Scan, in)
		}
		return true, err
	default:
		return false, c.errorf(wire.UnknownOp, "a frame of type %d", kind)
	}
}

// message handles the message at the beginning of rest: too large, invalid, or incomplete.
func (c *conn) message(rest []byte, size int, in *wire.Input) (whole bool, err *wire.Error) {
	switch {
	case size < minMessage:
		return false, c.errorf(wire.BadLength, "a message of size %d, the least is %d", size, minMessage)
	case c.phase < open:
		return false, c.errorf(wire.UnexpectedOp, "a message before the end of the login")
	case int64(size-minMessage) <= c.p.cfg.MaxMessage:
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
	c.skip.Add(0, uint64(size-minMessage), 0)
	return true, nil
}

// endSkip refuses the skipped message.
func (c *conn) endSkip(in *wire.Input) {
	c.flight.setNext(c.skipID, c.skipAttempts)
	c.flight.add(1)
	c.skip.End(in, wire.Msg{Seq: c.flight.newest})
}

// response handles a response, which is followed by after more bytes in the buffer.
func (c *conn) response(body []byte, after int, in *wire.Input) *wire.Error {
	switch {
	case bytes.Equal(body, heartbeat):
		// An nsqd that expects a TLS handshake would take a NOP for it.
		if c.phase != identifying || !c.p.cfg.Secure {
			c.send(in, cmdNop)
		}
		return nil
	case c.phase < open:
		return c.login(body, after, in)
	case c.phase == open && bytes.Equal(body, closeWait):
		// A message that nsqd's other goroutine is sending may still arrive.
		c.phase = closing
		in.Event = wire.Event{Kind: wire.EventClose, Code: wire.CloseOK, Clean: c.stopped}
		return nil
	}
	return c.errorf(wire.UnexpectedOp, "an unexpected response of %d bytes", len(body))
}

// send appends a command to the bytes to send at once.
func (c *conn) send(in *wire.Input, parts ...string) {
	for _, s := range parts {
		in.Out = append(in.Out, s...)
	}
	c.sent = true
}

// errorf makes a fault, and names its place in the stream.
func (c *conn) errorf(reason, format string, args ...any) *wire.Error {
	if c.phase >= open {
		format = "after message %d: " + format
		args = append([]any{c.flight.newest}, args...)
	}
	return wire.Errorf(reason, wire.CloseProtocolError, format, args...)
}

// End implements [wire.Conn]. The connection is lost, which is no fault of the protocol.
func (c *conn) End([]byte, *wire.Input, bool) *wire.Error { return nil }
