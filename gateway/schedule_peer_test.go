package gateway

import (
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// schedProto is a protocol with random traits, in which each byte of the peer is one event or one
// message.
type schedProto struct {
	s      *schedule
	traits wire.Traits
}

func (p *schedProto) codec() *wire.Codec {
	return &wire.Codec{Traits: p.traits, NewConn: func() wire.Conn { return &schedConn{p: p} }}
}

// schedConn is the protocol's state of one connection.
type schedConn struct {
	p       *schedProto
	resumed wire.Hello
	seq     uint64
	ready   bool
	closed  bool // the peer has sent its close: the rest is ignored
	failed  bool // Decode returned an error
	rest    int  // received bytes not decoded
	next    time.Duration
}

func (*schedConn) AppendStop(dst []byte) []byte { return append(dst, 's') }

func (c *schedConn) AppendHello(dst []byte, r wire.Hello) []byte {
	c.resumed = r
	return append(dst, 'o')
}

// Decode implements wire.Conn. It checks what decoders rely on: it is not called again after an
// error, and bytes that it did not decode are in the next call's buffer.
func (c *schedConn) Decode(buf []byte, in *wire.Input) *wire.Error {
	if left := len(buf) - in.Scan; c.failed || left < c.rest {
		c.p.s.t.Errorf("Decode with %d bytes, where %d were left, after an error: %t", left, c.rest, c.failed)
	}
	fault := c.decode(buf, in)
	c.failed, c.rest = fault != nil, len(buf)-in.Scan
	return fault
}

// decode: a '+' begins a message of two bytes.
func (c *schedConn) decode(buf []byte, in *wire.Input) *wire.Error {
	for in.Scan < len(buf) && !in.Full() {
		b := buf[in.Scan]
		if c.closed {
			in.Advance(len(buf) - in.Scan)
			return nil
		}
		n := 1
		if b == '+' {
			n = 2
		}
		if in.Scan+n > len(buf) {
			in.Need = n
			return nil
		}
		at := in.Scan
		in.Need = 0
		in.Advance(n)
		if fault := c.take(b, at, n, in); fault != nil || in.Event.Kind != wire.EventNone {
			return fault
		}
	}
	return nil
}

func (c *schedConn) take(b byte, at, n int, in *wire.Input) *wire.Error {
	refused := func(detail string, code wire.CloseCode) *wire.Error {
		return &wire.Error{Reason: wire.BadFlags, Code: code, Detail: detail, RetryAfter: time.Millisecond}
	}
	switch {
	case b == 'f' && !c.ready:
		fault := refused("go elsewhere", wire.CloseProtocolError)
		fault.Redirect = &wire.Redirect{HostPort: "a:2", Target: "/"}
		return fault
	case b == 't' && !c.ready:
		return refused("who are you", wire.CloseBadToken)
	case b == 'e':
		return refused("what was that", wire.CloseProtocolError)
	case b == 'w':
		in.Event = wire.Event{Kind: wire.EventFault, Fault: refused("a complaint", 0)}
	case b == 'c', b == 'k', b == 'b', b == 'x':
		c.closed = b != 'k' || !c.ready // a decoder may continue after the close
		c.p.s.closed = true
		in.Event = wire.Event{Kind: wire.EventClose, Clean: b == 'c'}
		switch b {
		case 'b':
			in.Event.Code = wire.CloseBadToken
		case 'x':
			in.Event.Fault = refused("I have closed", wire.CloseProtocolError)
		}
	case b == 'n' && !c.ready:
		in.Event = wire.Event{Kind: wire.EventReady, First: 1}
	case !c.ready:
		c.ready = true
		e := wire.Event{Kind: wire.EventReady, First: 1, Each: true, Cumulative: true}
		if c.p.traits.Sequenced {
			if e.Session = "first"; c.p.s.forgets {
				e.Session = "second"
			}
			if e.Session == c.resumed.Session {
				e.First = c.resumed.Seq + 1
			}
		}
		c.seq, in.Event = e.First-1, e
	default:
		c.seq++
		in.Msgs = append(in.Msgs, wire.Msg{Seq: c.seq, Off: uint32(at), Len: uint32(n)})
	}
	return nil
}

// End implements wire.Conn.
func (c *schedConn) End(buf []byte, in *wire.Input, whole bool) *wire.Error {
	left := len(buf) - in.Scan
	switch {
	case left == 0 || !whole || c.closed:
		return nil
	case c.p.s.rng.IntN(2) == 0:
		return wire.Errorf(wire.Truncated, wire.CloseProtocolError, "half a message at the end")
	}
	at := in.Scan
	in.Advance(left)
	c.rest = 0
	return c.take(among(c.p.s.rng, byte('m'), 'm', 'c', 'w'), at, left, in)
}

func (c *schedConn) AppendAcks(dst []byte, _ uint64, n int, _ worker.Code) []byte {
	for range n {
		dst = append(dst, 'a')
	}
	return dst
}

func (c *schedConn) AppendAckTo(dst []byte, _ uint64) []byte { return append(dst, 'A') }

func (c *schedConn) Tick(dst []byte, now time.Duration) ([]byte, time.Duration) {
	every := c.p.s.heartbeat
	switch {
	case every == 0 || !c.ready:
		return dst, 0
	case now >= c.next:
		c.next = now + every
		return append(dst, 'h'), c.next
	}
	return dst, c.next
}

func (c *schedConn) AppendClose(dst []byte, _ wire.CloseCode) []byte {
	if c.p.traits.EOFIsClose {
		return dst
	}
	return append(dst, 'q')
}

// schedSocket is a connected socket with its peer.
type schedSocket struct {
	s            *schedule
	rng          *rand.Rand
	received     []byte // not read yet
	space        int    // bytes that the kernel accepts before EAGAIN
	unackedBytes int    // bytes that the peer's TCP has not acknowledged

	watched, closed, shut             bool
	eof, reset, resetReported         bool
	edgeReadable, edgeWritable        bool // edges not reported yet
	edgeHalfClosed, edgeReset, silent bool
}

func (c *schedSocket) recv(b []byte) (int, error) {
	n := copy(b, c.received)
	c.received = c.received[n:]
	switch {
	case n > 0:
		return n, nil
	case c.reset && !c.resetReported:
		c.resetReported = true
		return 0, unix.ECONNRESET
	case c.reset || c.eof:
		return 0, nil
	}
	return 0, unix.EAGAIN
}

func (c *schedSocket) buffered() bool { return false }

func (c *schedSocket) send(msgs [][]byte) (int, error) {
	if c.shut || c.closed {
		c.s.t.Error("bytes are sent on a connection whose sending side is closed")
	}
	if c.reset {
		if !c.resetReported && c.rng.IntN(2) == 0 {
			c.resetReported = true
			return 0, unix.ECONNRESET
		}
		return 0, unix.EPIPE
	}
	if c.space == 0 {
		return 0, unix.EAGAIN
	}
	sent := 0
	for _, m := range msgs {
		n := min(len(m), c.space)
		c.s.note("send %s", m[:n])
		sent, c.space, c.unackedBytes = sent+n, c.space-n, c.unackedBytes+n
	}
	return sent, nil
}

func (c *schedSocket) closeSend() error {
	switch {
	case c.reset:
		return unix.EPIPE
	case c.space == 0:
		return unix.EAGAIN
	}
	if !c.shut {
		c.shut, c.unackedBytes = true, c.unackedBytes+1
	}
	return nil
}

func (c *schedSocket) untransmitted() int { return c.unackedBytes / 2 }
func (c *schedSocket) unacked() int       { return c.unackedBytes }
func (c *schedSocket) socketError() error { return unix.ECONNRESET }
func (c *schedSocket) path() pathState {
	resent := c.unackedBytes > 0 && c.rng.IntN(4) > 0
	return pathState{
		pending: c.unackedBytes > 0, resent: resent, quiet: resent && c.rng.IntN(2) == 0,
		silence: time.Duration(c.rng.Int64N(int64(20 * time.Second))),
		resends: c.rng.Uint64N(3), answers: c.rng.Uint64N(2),
	}
}

func (c *schedSocket) tcpClosed() bool { return c.reset || c.eof && c.shut && c.unackedBytes == 0 }
func (c *schedSocket) close()          { c.closed = true }

// peer makes the peer, or its TCP, do one thing.
func (s *schedule) peer() {
	c, r := s.sock, s.rng
	if c == nil || c.closed || c.silent {
		return
	}
	fatal := s.fatal
	if s.l.conn.is(in(stopSent, stopAnswered, closeReply)) { // rare and short
		fatal += 10
	}
	if r.IntN(100) < fatal {
		switch r.IntN(8) {
		case 0, 1:
			c.eof, c.edgeReadable, c.edgeHalfClosed = true, true, true
		case 2, 3:
			c.reset, c.edgeReadable, c.edgeWritable, c.edgeHalfClosed, c.edgeReset = true, true, true, true, true
		case 4:
			c.silent = r.IntN(3) == 0
		default:
			s.arrive(among(r, "e", "c", "c", "k", "b", "x", "f", "t", "n", "c+", "kmm", "kc", "ke"))
		}
		return
	}
	switch r.IntN(4) {
	case 0:
		c.space, c.edgeWritable = c.space+r.IntN(s.takes), true
	case 1:
		c.unackedBytes -= r.IntN(c.unackedBytes + 1)
		if r.IntN(2) == 0 {
			c.unackedBytes = 0
		}
	case 2:
		s.arrive(among(r, "r", "rm", "rw+1"))
	default:
		s.arrive(among(r, "m", "mmmm", "+1", "m+", "w", "m+1mmmmmmmm"))
	}
	if r.IntN(2) == 0 {
		s.edges()
	}
}

// arrive delivers bytes of the peer, unless its stream has ended.
func (s *schedule) arrive(what string) {
	if c := s.sock; !c.eof && !c.reset {
		c.received = append(c.received, what...)
		c.edgeReadable = true
	}
}
