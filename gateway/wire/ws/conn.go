package ws

import (
	"bytes"
	"encoding/binary"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// phase is where a connection stands; it goes down the list.
type phase uint8

const (
	opening phase = iota // the answer to the request is not whole
	open
	closed // the server said Close; nothing behind it counts, nor an unfinished message
)

// conn is the state of one connection, owned by the loop.
type conn struct {
	p     *protocol
	phase phase
	seq   uint64 // arrival number of the last message

	// The handshake.
	accept   string // the Sec-WebSocket-Accept that is due
	hello    []byte // rendered; gone once it was sent
	headUsed int    // bytes of interim responses
	headSeen int    // bytes from in.Scan on that hold no end of a head

	// The message that is being joined, between in.Start and in.Keep.
	fragments int    // frames of it; 0: there is none
	kind      opcode // text or binary

	// The frame at in.Scan, as far as it is there.
	checked int // bytes of its payload that text has seen
	text    utf8Check

	kinds   kinds
	scratch []byte // payload of an ack
	keys    keys

	stall stall

	goodbye closeCode // of our Close: what a fault or the server's Close asks for; 0: nothing
	said    bool      // our Close was appended; nothing follows it

	armed bool          // next is set
	next  time.Duration // when the heartbeat is due
}

func (c *conn) Open(dst []byte, r wire.Resume) []byte {
	if c.p.hello != nil {
		c.hello = c.p.hello.AppendHello([]byte{}, r.Token)
	}
	dst, c.accept = c.p.request.append(dst, r.Host, r.Target)
	return dst
}

func (c *conn) Decode(buf []byte, in *wire.Input) error {
	in.Need = 0
	switch c.phase {
	case opening:
		return c.handshake(buf, in)
	case closed:
		in.Start, in.Keep, in.Scan = len(buf), len(buf), len(buf)
		return nil
	}
	for {
		if c.fragments == 0 && c.checked == 0 {
			c.decodePlain(buf, in)
		}
		if len(in.Msgs) == cap(in.Msgs) {
			return nil
		}
		whole, err := c.frame(buf, in)
		if err != nil || in.Event.Kind != wire.EventNone {
			return err
		}
		if !whole {
			return c.endure(buf, in)
		}
	}
}

// decodePlain frames the run of whole messages of one frame at in.Scan: what nearly
// every byte of a feed belongs to. It stops before the first frame that is anything
// else, or at fault.
func (c *conn) decodePlain(buf []byte, in *wire.Input) {
	for c.decodeChunk(buf, in) {
	}
}

// decodeChunk reports whether there may be another.
func (c *conn) decodeChunk(buf []byte, in *wire.Input) bool {
	had := len(in.Msgs)
	room := in.Msgs[had:cap(in.Msgs)]
	framed, has, at, odd := framePlain(buf, in.Scan, c.p.limit, c.seq, room)
	n := framed
	if odd && !validText(buf[room[n-1].Off:][:room[n-1].Len]) {
		n, odd = n-1, false
		at = frameStart(&room[n])
	}
	kept := wire.DropPrefixed(buf, room[:n], c.p.ignore, c.seq)
	in.Ignored += n - kept
	c.seq += uint64(kept)
	if kept < framed {
		has = kindsOf(room[:kept])
	}
	c.kinds.note(room[:kept], has)
	in.Msgs = in.Msgs[:had+kept]
	in.Start, in.Keep, in.Scan = at, at, at
	return n > 0 && (odd || n == len(room) && kept < n)
}

// framePlain fills msgs with messages of one short frame from buf[at] on and says how
// many, of which kinds, and where it stopped. The last may be odd: a text that is not
// ASCII and is yet to be checked; the others are valid. It calls nothing, for that would
// have everything that it holds in registers stored and loaded again, and it has no loop
// that takes another turn with every length, for that is foretold wrongly.
func framePlain(buf []byte, at, limit int, seq uint64, msgs []wire.Msg) (n int, has kindSet, end int, odd bool) {
	const high = 0x8080808080808080
	for i := range msgs {
		rest := buf[at:]
		if len(rest) < 4 {
			break
		}
		first, size, head := rest[0], int(rest[1]), 2
		if first != finBit|byte(opText) && first != finBit|byte(opBinary) {
			break
		}
		if size >= length16 {
			size, head = int(binary.BigEndian.Uint16(rest[2:])), 4
			if rest[1] != length16 || size < length16 {
				break
			}
		}
		if size > limit || size > len(rest)-head {
			break
		}
		if b := rest[head : head+size]; first == finBit|byte(opText) {
			w := uint64(0)
			switch {
			case len(b) >= 32:
				for i := 0; i < len(b)-32; i += 32 {
					q := b[i : i+32 : i+32]
					w |= binary.LittleEndian.Uint64(q) | binary.LittleEndian.Uint64(q[8:]) |
						binary.LittleEndian.Uint64(q[16:]) | binary.LittleEndian.Uint64(q[24:])
				}
				q := (*[32]byte)(b[len(b)-32:])
				w |= binary.LittleEndian.Uint64(q[:]) | binary.LittleEndian.Uint64(q[8:]) |
					binary.LittleEndian.Uint64(q[16:]) | binary.LittleEndian.Uint64(q[24:])
			case len(b) >= 16:
				p, q := (*[16]byte)(b), (*[16]byte)(b[len(b)-16:])
				w = binary.LittleEndian.Uint64(p[:]) | binary.LittleEndian.Uint64(p[8:]) |
					binary.LittleEndian.Uint64(q[:]) | binary.LittleEndian.Uint64(q[8:])
			case len(b) >= 8:
				w = binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[len(b)-8:])
			default:
				for _, x := range b {
					w |= uint64(x)
				}
			}
			odd = w&high != 0
		}
		has |= kindSet(first)
		m := &msgs[i]
		m.Seq = seq + uint64(i) + 1
		m.Off, m.Len = uint32(at+head), uint32(size)
		m.Aux, m.Code = first&auxText, worker.OK
		at += head + size
		if n = i + 1; odd {
			break
		}
	}
	return n, has & both, at, odd
}

// frameStart is where the frame of a message that decodePlain has framed begins.
func frameStart(m *wire.Msg) int {
	if m.Len < length16 {
		return int(m.Off) - 2
	}
	return int(m.Off) - 4
}

// frame decodes the frame at in.Scan. False means that it is not whole yet.
func (c *conn) frame(buf []byte, in *wire.Input) (whole bool, err error) {
	rest := buf[in.Scan:]
	h, need, err := c.parseHead(rest, in.Keep-in.Start)
	if err != nil || need > 0 {
		in.Need = need
		return false, err
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
		c.advance(in, h.size+h.payload)
		return true, err
	}
	return true, c.fragment(h, payload, buf, in)
}

// fragment takes a data frame: the whole of a message, or a fragment. Fragments are joined
// in place, each moved down to the end of the one before it.
func (c *conn) fragment(h head, payload, buf []byte, in *wire.Input) error {
	if c.fragments == 0 {
		c.kind = h.op
		in.Start = in.Scan + h.size
		in.Keep = in.Start + len(payload)
	} else {
		in.Keep += copy(buf[in.Keep:], payload)
	}
	c.fragments++
	in.Scan += h.size + len(payload)
	if !h.fin {
		return nil
	}
	if !c.text.whole() {
		return c.fail(codeNotUTF8, "text ends within a UTF-8 sequence")
	}
	c.fragments = 0
	if len(c.p.ignore) > 0 && bytes.HasPrefix(buf[in.Start:in.Keep], c.p.ignore) {
		in.Ignored++
	} else {
		c.seq++
		m := wire.Msg{Seq: c.seq, Off: uint32(in.Start), Len: uint32(in.Keep - in.Start)}
		if c.kind == opText {
			m.Aux = auxText
		}
		in.Msgs = append(in.Msgs, m)
		c.kinds.note(in.Msgs[len(in.Msgs)-1:], kindSet(c.kind))
	}
	in.Start, in.Keep = in.Scan, in.Scan
	return nil
}

// advance moves past n decoded bytes, leaving a message that is being joined
// where it is.
func (c *conn) advance(in *wire.Input, n int) {
	in.Scan += n
	if c.fragments == 0 {
		in.Start, in.Keep = in.Scan, in.Scan
	}
}

// End finds a connection lost that ends without Close; that is no fault of the protocol.
func (c *conn) End(int) error { return nil }

// AppendAckTo is not there: Traits.CumulativeAcks is not set.
func (c *conn) AppendAckTo([]byte, uint64) []byte { panic("ws: there are no cumulative acks") }

// Tick appends a ping, and the heartbeat that is asked for, when they are due. The first
// interval counts from its first call behind the handshake.
func (c *conn) Tick(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	dst, next = c.beat(dst, now)
	return dst, c.stall.tick(now, next)
}

// beat appends the heartbeat if it is due, and says when the next is; 0: there is none.
func (c *conn) beat(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	if c.p.interval == 0 || c.phase != open || c.said {
		return dst, 0
	}
	if c.armed && now < c.next {
		return dst, c.next
	}
	if c.armed {
		dst = appendFrame(dst, opPing, nil)
		if c.p.beatOp != 0 {
			dst = appendFrame(dst, c.p.beatOp, c.p.beat)
		}
	}
	// From due time to due time, so that late calls do not add up, unless one was
	// later than a whole interval.
	if c.next += c.p.interval; !c.armed || c.next <= now {
		c.next = now + c.p.interval
	}
	c.armed = true
	return dst, c.next
}
