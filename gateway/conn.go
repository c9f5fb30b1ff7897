package gateway

import (
	"context"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker/backoff"
)

// peer is the state of the socket, as far as edges and system calls have shown it.
type peer struct {
	readable, writable bool // the next call may succeed: no EAGAIN since the last edge
	halfClosed         bool // the peer has closed or reset: read to the end
	reset              bool // both directions are closed: nothing can be acked
	resetFirst         bool // a reset, not preceded by the end of the stream
}

// edge records an event of the poller.
func (p *peer) edge(readable, writable, halfClosed, reset bool) {
	p.readable = p.readable || readable
	p.writable = p.writable || writable
	p.halfClosed = p.halfClosed || halfClosed
	p.reset = p.reset || reset
}

// termination is how a connection ends. It is valid once its end has begun.
type termination struct {
	code      wire.CloseCode // for the protocol's close
	grace     time.Duration  // deadline for acking what was read; 0: none
	moreUntil time.Duration  // messages may follow the answer to a stop until then; 0: none will
	linger    time.Duration  // deadline for the peer's close; 0: its TCP has not acknowledged everything
	notify    bool           // close_notify decides whether the close was clean
}

// conn is the connection to the upstream, from dial to close, and then the next one. The table in
// states.go defines what can happen to it. The loop owns it.
type conn struct {
	l       *loop
	state   state
	observe func(s state, e event, row int) // for tests; row is an index in transitions, -1: none

	sock  transport // nil: none
	addr  string
	proto wire.Conn // the protocol's state
	peer  peer
	end   termination

	idleSince     time.Duration // when bytes were last received, plus the time that the idle clock was paused
	lastAccepted  time.Duration // when the peer last accepted bytes, or nothing was unsent
	tickAt        time.Duration // when to call the protocol's Tick; 0: in every turn
	loginDeadline time.Duration
	path          pathWatch

	life         lifetime // of the connection
	closeIgnored bool     // failOver treated a clean close as a failure of the address
	unacked      int      // messages that the last connection left unacked

	target       target        // the address that it is connected to
	redirect     *redirect     // the redirect that led there; nil: none
	nextRedirect *redirect     // the redirect that the next dial follows; nil: none
	retryAfter   time.Duration // Retry-After, for the next dial; 0: none

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
	c.dialer.configure(l.cfg, l.set.codec)
	c.backoff = backoff.New(l.cfg.ReconnectMin, l.cfg.ReconnectMax)
	c.log.log = l.log
	c.redialAt = 1 // at once
}

// step raises the events that result from neither a call nor an edge, such as timeouts. It returns
// false if nothing happened. Once the state has changed, the rest waits for the next turn.
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

// handleReset handles a reset that no system call will return.
func (c *conn) handleReset(now time.Duration) bool {
	l := c.l
	switch {
	case !c.peer.reset || !c.is(sends):
		return false
	case l.paused && !l.set.codec.EOFIsClose:
		// A read would return it, but reading is paused.
		c.lost(now, "receive", c.sock.socketError())
	case l.receiver.sendBlockedSince != 0:
		// A send would return it, but there is nothing to send.
		c.sendFailed(now, c.sock.socketError())
	default:
		return false
	}
	return true
}

// checkEnd raises the next event of the close once everything is acked or sent.
func (c *conn) checkEnd(now time.Duration) {
	l := c.l
	switch {
	case c.is(finishes) && l.track.AllAcked() && !l.receiver.pending() && c.end.moreUntil == 0:
		c.on(evAllAcked, details{now: now})
	case c.is(closes) && l.out.Len() == 0:
		c.closeSend(now)
	}
}

// mayBusyPoll reports whether to read the socket without waiting for an edge.
func (c *conn) mayBusyPoll() bool { return c.is(receives) && c.l.receiver.bulk && !c.l.paused }

// writePending reports whether we have data, or a close, that the peer has not accepted.
func (c *conn) writePending() bool {
	// In these states, our sending side is not closed yet.
	return c.l.out.Len() > 0 || c.l.receiver.sendBlockedSince != 0 || c.is(closes)
}

// idlePaused reports whether the idle clock is paused because silence proves nothing: we are not
// reading, or the server may be waiting for our acks. Meanwhile, pathWatch detects a dead path.
func (c *conn) idlePaused() bool {
	return c.l.paused || c.l.out.Len() >= maxUnsent || c.l.track.Full() && c.l.track.Working() > 0
}

// needsResume reports whether a drain waits for redeliveries, on this connection or the next, because
// some messages can be acked only then.
func (c *conn) needsResume() bool {
	l := c.l
	return l.stop.deadline != 0 && l.stop.err == nil && l.session.id != "" && l.track.NeedsRedelivery()
}
