package ws

import (
	"time"

	"feedgate/gateway/wire"
)

// phase is the state of a connection. It only moves down this list.
type phase uint8

const (
	opening phase = iota // the answer to the request is incomplete
	open
	closed // the server sent Close; later bytes and unfinished messages have no meaning
)

// conn is the state of one connection. It belongs to the loop.
type conn struct {
	wire.Base

	p     *protocol
	phase phase
	seq   uint64 // arrival number of the last message

	// The handshake.
	host         string // HOST:PORT of the request
	target       string // request target
	accept       string // the expected Sec-WebSocket-Accept
	hello        []byte // rendered; nil once it was sent
	headUsed     int    // bytes of interim responses
	headSearched int    // bytes from in.Scan on that contain no end of a head

	// The message being joined, between in.Start and in.Keep.
	fragments int    // frames of it; 0: there is none
	empty     int    // of these, frames without payload
	kind      opcode // text or binary

	// The message being skipped.
	skip    wire.Skipper
	skipFin bool // the frame being skipped is its last

	// The frame at in.Scan, as far as it has arrived.
	checked int // bytes of its payload that text has checked
	text    utf8Check

	kinds   kinds
	scratch []byte // payload of an ack
	keys    keys

	stall stall

	closeCode statusCode // for our Close: from a fault or the server's Close; 0: neither
	closeSent bool       // our Close was appended; nothing may follow it

	heartbeat wire.Heartbeat
}

func (c *conn) AppendHello(dst []byte, r wire.Hello) []byte {
	if c.p.hello != nil {
		c.hello = c.p.hello.AppendHello([]byte{}, r.Token)
	}
	c.host, c.target = r.Host, r.Target
	if c.target == "" {
		c.target = c.p.request.path
	}
	dst, c.accept = c.p.request.append(dst, c.host, c.target, r.Token)
	return dst
}

func (c *conn) Decode(buf []byte, in *wire.Input) *wire.Error {
	in.Need = 0
	switch c.phase {
	case opening:
		return c.handshake(buf, in)
	case closed:
		in.Discard(buf)
		return nil
	}
	for {
		if c.fragments == 0 && c.checked == 0 {
			c.decodePlain(buf, in)
		}
		if in.Full() {
			return nil
		}
		var whole bool
		var err *wire.Error
		if c.skip.InPiece() {
			whole, err = c.passBytes(buf, in)
		} else {
			whole, err = c.frame(buf, in)
		}
		if err != nil || in.Event.Kind != wire.EventNone {
			return err
		}
		if !whole {
			return c.checkStalled(buf, in)
		}
	}
}

// frame decodes the frame at in.Scan. It returns false if the frame is incomplete.
func (c *conn) frame(buf []byte, in *wire.Input) (whole bool, err *wire.Error) {
	rest := buf[in.Scan:]
	h, need, err := c.parseHead(rest)
	if err != nil || need > 0 {
		in.Need = need
		return false, err
	}
	if h.op == opText || h.op == opBinary {
		c.kind = h.op
	}
	if !h.op.control() && c.tooLarge(h, in) {
		return true, c.startSkip(h, buf, in)
	}
	there := min(h.payload, len(rest)-h.size)
	if !h.op.control() && (h.op == opText || c.fragments > 0 && c.kind == opText) {
		if !c.text.add(rest[h.size+c.checked : h.size+there]) {
			return false, c.fail(codeNotUTF8, "text is not UTF-8")
		}
		c.checked = there
	}
	if there < h.payload {
		in.Need = h.size + h.payload
		return false, nil
	}
	c.checked = 0
	payload := rest[h.size : h.size+h.payload]
	if h.op.control() {
		err = c.control(h.op, payload, in)
		in.AdvanceJoining(h.size+h.payload, c.fragments > 0 && !c.skip.Active())
		return true, err
	}
	return true, c.fragment(h, payload, buf, in)
}

// fragment decodes a data frame: a whole message, or a fragment. Fragments are joined in place:
// each is moved down to the end of the one before.
func (c *conn) fragment(h head, payload, buf []byte, in *wire.Input) *wire.Error {
	if c.fragments == 0 {
		in.Start = in.Scan + h.size
		in.Keep = in.Start + len(payload)
	} else {
		in.Keep += copy(buf[in.Keep:], payload)
	}
	c.count(h)
	in.Scan += h.size + len(payload)
	if !h.fin {
		return nil
	}
	if !c.text.whole() {
		return c.fail(codeNotUTF8, "text ends within a UTF-8 sequence")
	}
	c.fragments, c.empty = 0, 0
	if !c.p.ignore.Match(buf[in.Start:in.Keep]) {
		c.seq++
		in.Msgs = append(in.Msgs, wire.Msg{
			Seq: c.seq, Off: uint32(in.Start), Len: uint32(in.Keep - in.Start), Tag: c.kind.tag(),
		})
		c.kinds.record(in.Msgs[len(in.Msgs)-1:], kindSet(c.kind))
	}
	in.Advance(0)
	return nil
}

// count counts a frame of the message being received.
func (c *conn) count(h head) {
	c.fragments++
	if h.payload == 0 {
		c.empty++
	}
}

// End implements [wire.Conn]. Without Close the connection is lost, which is no fault of the
// protocol.
func (c *conn) End([]byte, *wire.Input, bool) *wire.Error { return nil }

// Tick appends a ping, and the configured heartbeat, when they are due. The first interval begins
// with the first call after the handshake.
func (c *conn) Tick(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	dst, next = c.beat(dst, now)
	return dst, c.stall.tick(now, next)
}

// beat appends the heartbeat if it is due, and returns when the next is due; 0: never.
func (c *conn) beat(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	if c.phase != open || c.closeSent {
		return dst, 0
	}
	due, next := c.heartbeat.Due(now)
	if due {
		dst = appendFrame(dst, opPing, nil)
		if c.p.beatOp != 0 {
			dst = appendFrame(dst, c.p.beatOp, c.p.beat)
		}
	}
	return dst, next
}
