package gateway

import (
	"context"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/backoff"
)

// peer is what the poller's edges and the calls have shown of the peer and its kernel.
type peer struct {
	readable, writable bool // as the edges left them: the next call may not block
	halfClosed         bool // it has closed or reset: read to the end
	reset              bool // both directions are gone: nothing can be acked any more
	resetFirst         bool // it was a reset, and not the end of the stream, that came first
}

// edge records an event of the poller: reading, or writing, would not block, the peer has
// closed or reset, both directions are gone.
func (p *peer) edge(readable, writable, halfClosed, reset bool) {
	p.readable = p.readable || readable
	p.writable = p.writable || writable
	p.halfClosed = p.halfClosed || halfClosed
	p.reset = p.reset || reset
}

// termination is how a connection ends, from when its end has begun.
type termination struct {
	code      worker.Code   // for the protocol's close
	grace     time.Duration // when what was read must be acked; 0: it takes as long as it takes
	moreUntil time.Duration // messages may follow the answer to a stop until then; 0: none will
	linger    time.Duration // when the peer must have closed; 0: its TCP has not acknowledged all
	notify    bool          // close_notify decides whether the close was clean
}

// conn is the connection to the upstream, from the dial to the close, and the next ones. What
// may happen to it is the table in states.go. The loop owns it.
type conn struct {
	l       *loop
	state   state
	observe func(s state, e event, row int) // nil but in tests; row is the table's, -1: there is none

	sock  transport // nil: none
	addr  string
	proto wire.Conn // the protocol's side of it
	peer  peer
	end   termination

	idleSince     time.Duration // when the last bytes came; later by how long the idle clock was paused since
	lastAccepted  time.Duration // when the peer last took bytes, or had none to take
	tickAt        time.Duration // when the protocol wants to be called; 0: in every turn
	loginDeadline time.Duration // when the login must have succeeded
	path          pathWatch

	life         lifetime // of the connection
	closeIgnored bool     // failOver took a clean close for a failure of the address
	unacked      int      // acks that the last connection left unsent

	target       target        // the address that it is connected to
	redirect     *redirect     // the redirect that led there; nil: none
	nextRedirect *redirect     // the redirect that the next dial follows; nil: none
	retryAfter   time.Duration // Retry-After, before the next dial; 0: none

	dialer   dialer
	cancel   context.CancelFunc // of the dial in progress; nil: none
	backoff  *backoff.Backoff
	redialAt time.Duration
	log      eventLog
}

func (c *conn) init(l *loop) {
	c.l = l
	c.dialer = newDialer(l.cfg.Hosts, l.cfg.ConnectTimeout)
	c.dialer.limit = l.cfg.ConnectAttempts
	c.dialer.secure, c.dialer.tls, c.dialer.protocols = l.cfg.Secure, l.cfg.TLS, l.cfg.Protocol.Scheme().ALPN
	if l.cfg.Secure && l.set.codec.StartTLS {
		c.dialer.codec = l.set.codec
	}
	c.backoff = backoff.New(l.cfg.ReconnectMin, l.cfg.ReconnectMax)
	c.log.log = l.log
	c.redialAt = 1 // at once
}

// step raises the events that no call and no edge brings; false when nothing has come of it.
// A state that begins is looked at in the next turn.
func (c *conn) step(now time.Duration) bool {
	l := c.l
	if l.stop.aborted {
		l.exit()
		return true
	}
	if c.fireTimers(loopTimers, now); l.stop.done {
		return true
	}
	was := c.state
	if l.stop.ending && !c.needsResume() {
		c.on(evDrain, details{now: now})
	}
	if c.state == was && c.is(lingers) {
		c.discard(now)
	}
	if c.state == was && !c.handleReset(now) {
		c.fireTimers(connTimers, now)
	}
	if c.state == was {
		c.checkEnd(now)
	}
	if l.stop.ending {
		c.drainPool()
	}
	return c.state != was || l.stop.done || c.is(lingers) && c.peer.readable
}

// handleReset handles a reset that no call will show.
func (c *conn) handleReset(now time.Duration) bool {
	l := c.l
	switch {
	case !c.peer.reset || !c.is(sends):
		return false
	case l.paused && !l.set.codec.EOFCloses:
		// Reading would show it, but there is no room to read.
		c.lost(now, "receive", c.sock.socketError())
	case l.receiver.sendBlockedSince != 0:
		// Sending would show it, but there is nothing to send.
		c.sendFailed(now, c.sock.socketError())
	default:
		return false
	}
	return true
}

// checkEnd moves on a connection of which everything is acked, or sent.
func (c *conn) checkEnd(now time.Duration) {
	l := c.l
	switch {
	case c.is(finishes) && l.track.AllAcked() && !l.receiver.pending() && c.end.moreUntil == 0:
		c.on(evAllAcked, details{now: now})
	case c.is(closes) && l.out.Len() == 0:
		c.closeSend(now)
	}
}

// mayBusyPoll reports whether the socket is worth a look without an edge.
func (c *conn) mayBusyPoll() bool { return c.is(receives) && c.l.receiver.bulk && !c.l.paused }

// writePending reports whether we have data that the peer has not accepted.
func (c *conn) writePending() bool {
	// With nothing left to send, our close waits to close our sending side.
	return c.l.out.Len() > 0 || c.l.receiver.sendBlockedSince != 0 || c.is(closes)
}

// idlePaused reports whether silence says nothing about the server, so that the idle clock is
// paused: we would leave its bytes unread, or it may be waiting for an ack before it sends more.
// Whether the path is dead meanwhile, pathWatch finds out.
func (c *conn) idlePaused() bool {
	return c.l.paused || c.l.out.Len() >= maxUnsent || c.l.track.Full() && c.l.track.Working() > 0
}

// needsResume reports whether a drain needs the server to send again, on this connection
// or the next, what can be acked only then.
func (c *conn) needsResume() bool {
	l := c.l
	return l.stop.deadline != 0 && l.stop.err == nil && l.session.id != "" && l.track.NeedsRedelivery()
}
