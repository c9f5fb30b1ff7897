package gateway

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// simConn is a simulated TCP connection, with the state in both kernels. Bytes are in flight until
// the network delivers them.
type simConn struct {
	s   *sim
	num int

	down, up simPipe // from the server to the gateway, and back

	reset         bool // by the server or the network
	resetReported bool // a call of the gateway has returned it
	silent        bool // half open: nothing is delivered, and no edge reports it
	closed        bool // by the gateway

	watched bool
	full    bool // a send was short; an edge must follow
	edge    simEdge

	begun, lastReceived time.Duration // start; when the gateway last received bytes
	lastAccepted        time.Duration // when the kernel last accepted bytes from the gateway
	lastTransmitted     time.Duration // when bytes were last transmitted, or queued behind none
	path                simPath

	ledger simLedger
	peer   simPeer
}

// simPipe is one direction of a connection. Its end is delivered after the last byte.
type simPipe struct {
	flight, arrived     []byte
	ending, ended       bool
	accepted, delivered uint64 // bytes accepted from the sender, read by the receiver
}

type simEdge struct{ readable, writable, halfClosed, reset bool }

func (p *simPipe) buffered() int { return len(p.flight) + len(p.arrived) }

func (p *simPipe) put(b []byte) {
	p.flight = append(p.flight, b...)
	p.accepted += uint64(len(b))
}

func (p *simPipe) movable() bool { return len(p.flight) > 0 || p.ending && !p.ended }

// move delivers up to n bytes, then the end. It reports whether the receiver had read everything
// before.
func (p *simPipe) move(n int) (was bool) {
	was = len(p.arrived) == 0
	n = min(n, len(p.flight))
	p.arrived = append(p.arrived, p.flight[:n]...)
	p.flight = p.flight[n:]
	if len(p.flight) == 0 && p.ending {
		p.ended = true
	}
	return was
}

func (p *simPipe) take(b []byte) int {
	n := copy(b, p.arrived)
	p.arrived = p.arrived[n:]
	p.delivered += uint64(n)
	return n
}

// deliverDown delivers bytes to the gateway. An edge occurs only if the gateway had read
// everything: that is the least that an edge-triggered poller guarantees.
func (c *simConn) deliverDown() {
	n := 1 + c.s.rng.IntN(c.s.plan.piece)
	had, ended := c.down.buffered()-len(c.down.flight), c.down.ended
	drained := c.down.move(n)
	moved := len(c.down.arrived) > had
	c.s.note("down", uint64(len(c.down.arrived)-had), uint64(c.num))
	c.edge.readable = c.edge.readable || moved && drained
	if c.down.ended && !ended {
		c.edge.readable, c.edge.halfClosed = true, true
	}
}

// upMovable reports whether the server's kernel would accept bytes or the end.
func (c *simConn) upMovable() bool {
	return c.up.movable() && (len(c.up.flight) == 0 || len(c.up.arrived) < c.s.plan.upWindow)
}

func (c *simConn) deliverUp() {
	had := len(c.up.arrived)
	c.lastTransmitted = c.s.clock
	c.up.move(min(1+c.s.rng.IntN(c.s.plan.piece), max(0, c.s.plan.upWindow-had)))
	c.s.note("up", uint64(len(c.up.arrived)-had), uint64(c.num))
}

// kill resets the connection. Bytes in flight are lost, from a random one on; bytes that were
// delivered and not read may be lost, too.
func (c *simConn) kill() {
	if c.reset {
		return
	}
	r := c.s.rng
	c.reset = true
	c.loseUp()
	c.down.flight, c.down.ending = nil, false
	if r.IntN(2) == 0 {
		c.down.arrived = c.down.arrived[:r.IntN(len(c.down.arrived)+1)]
	}
	c.edge = simEdge{true, true, true, true}
}

// loseUp drops the gateway's unread bytes, from a random one on.
func (c *simConn) loseUp() {
	r := c.s.rng
	c.up.move(r.IntN(len(c.up.flight) + 1))
	c.up.flight, c.up.ending = nil, false
	c.up.arrived = c.up.arrived[:r.IntN(len(c.up.arrived)+1)]
}

// recvfrom implements kernel.
func (c *simConn) recvfrom(_ int, b []byte) (int, unix.Errno) {
	if c.closed || len(b) == 0 {
		c.s.failf("recv of %d bytes, socket closed %v", len(b), c.closed)
		return 0, unix.EBADF
	}
	if chance(c.s.rng, c.s.plan.eintr) {
		return 0, unix.EINTR
	}
	if n := c.down.take(b); n > 0 {
		c.s.note("recv", uint64(n), c.down.delivered)
		c.lastReceived = c.s.clock
		c.ledger.received()
		return n, 0
	}
	switch {
	case c.reset && (!c.resetReported || c.s.rng.IntN(2) == 0):
		c.resetReported = true
		return 0, unix.ECONNRESET
	case c.reset, c.down.ended:
		return 0, 0
	}
	return 0, unix.EAGAIN
}

// sendmmsg implements kernel. As on Linux, it stops after a message that it accepted in part, and
// counts it. It does not set the lengths of the messages after that.
func (c *simConn) sendmmsg(_ int, hdrs []mmsghdr) (int, unix.Errno) {
	s := c.s
	if c.closed || c.up.ending || len(hdrs) == 0 || len(hdrs) > maxBatch {
		s.failf("send of %d messages, socket closed %v, sending side closed %v", len(hdrs), c.closed, c.up.ending)
		return 0, unix.EBADF
	}
	if chance(s.rng, s.plan.eintr) {
		return 0, unix.EINTR
	}
	if c.reset {
		if !c.resetReported && s.rng.IntN(2) == 0 {
			c.resetReported = true
			return 0, unix.ECONNRESET
		}
		return 0, unix.EPIPE
	}
	space := max(0, s.plan.upCap-c.up.buffered())
	if chance(s.rng, s.plan.partial) {
		space = s.rng.IntN(space + 1)
	}
	done := 0
	for i := range hdrs {
		b := unsafe.Slice(hdrs[i].hdr.Iov.Base, int(hdrs[i].hdr.Iov.Len))
		if len(b) == 0 {
			s.failf("an empty message in sendmmsg")
		}
		if space == 0 {
			c.full = true
			break
		}
		n := min(len(b), space)
		if c.lastAccepted = s.clock; len(c.up.flight) == 0 {
			c.lastTransmitted = s.clock
		}
		c.up.put(b[:n])
		c.ledger.taken(b[:n])
		hdrs[i].len = uint32(n)
		space -= n
		done++
		if n < len(b) {
			c.full = true
			break
		}
	}
	s.note("send", uint64(done), c.up.accepted)
	if done == 0 {
		return 0, unix.EAGAIN
	}
	return done, 0
}

// makeWritable makes the edge that follows a short send.
func (c *simConn) makeWritable() {
	c.full = false
	c.edge.writable = true
}

// takeEdge returns what the poller reports: at least the pending edges, and possibly more that is
// true now.
func (c *simConn) takeEdge() simEdge {
	e := c.edge
	c.edge = simEdge{}
	if c.s.rng.IntN(2) == 0 {
		e.readable = e.readable || len(c.down.arrived) > 0 || c.down.ended
		e.writable = e.writable || c.up.buffered() < c.s.plan.upCap
	}
	return e
}

// simSocket is the real socket on the simulated kernel. It overrides the methods that do not use
// kernel.
type simSocket struct {
	socket
	c *simConn
}

func (s *simSocket) closeSend() error {
	s.c.s.note("shutdown", uint64(s.c.num), 0)
	if s.c.reset {
		return unix.ENOTCONN
	}
	s.c.up.ending = true
	return nil
}

func (s *simSocket) untransmitted() int { return len(s.c.up.flight) }

func (s *simSocket) unacked() int {
	n := len(s.c.up.flight)
	if s.c.up.ending && !s.c.up.ended {
		n++
	}
	return n
}

func (s *simSocket) path() pathState { return s.c.path.state(s.unacked() > 0) }

func (s *simSocket) socketError() error { return unix.ECONNRESET }

func (s *simSocket) tcpClosed() bool { return s.c.reset || s.c.up.ended && s.c.down.ended }

// close behaves like the kernel: if bytes are unread or in flight, it resets the connection, which
// can destroy bytes that the server has not read.
func (s *simSocket) close() {
	c := s.c
	if c.closed {
		c.s.failf("socket closed twice")
	}
	c.s.note("close", uint64(c.num), uint64(c.down.buffered()))
	if c.watched {
		c.s.failf("socket closed while it is watched")
	}
	c.checkGivenUp()
	c.closed = true
	if c.s.conn == c {
		c.s.conn = nil
	}
	switch {
	case c.reset:
	case c.down.buffered() > 0:
		c.loseUp()
		c.reset = true
	default:
		c.up.ending = true
	}
}

// checkGivenUp checks that a running gateway has a reason for closing the connection.
func (c *simConn) checkGivenUp() {
	p, now := &c.s.plan, c.s.clock
	if c.reset || c.down.ended || c.silent && now-c.path.cut >= p.idle || c.ledger.bye || c.s.proc.leaving {
		return
	}
	if now-c.begun < p.connect && now-c.lastReceived < p.idle && now-min(c.lastAccepted, c.lastTransmitted) < p.write {
		c.s.failf("connection %d is closed without a reason", c.num)
	}
}
