package gateway

import (
	"errors"
	"fmt"
	"time"
)

// stopping is how the loop comes to its end.
type stopping struct {
	leaving  bool          // no more is read; the loop ends when all is finished
	drained  bool          // the pool has been told
	deadline time.Duration // 0: none
	aborted  bool
	lost     int   // acks that a new session of the server's has made void
	done     bool  // the loop has ended
	err      error // why it did, when not well
}

// drain begins the end of the gateway that its user asked for.
func (l *loop) drain() {
	if l.stop.deadline != 0 {
		return
	}
	l.stop.deadline = l.world.now() + l.cfg.DrainTimeout
	l.stop.leaving = true
	l.log.Info("draining", "in_flight", l.track.InFlight(), "timeout", l.cfg.DrainTimeout)
}

// abort ends it at once.
func (l *loop) abort() {
	l.stop.leaving, l.stop.aborted = true, true
}

// fail ends it with an error, after the connection has been closed in order.
func (l *loop) fail(err error) {
	if l.stop.err == nil {
		l.stop.err = err
	}
	l.stop.leaving = true
}

// exit ends the loop. Unfinished messages and unsent acks make it a failure.
func (l *loop) exit() {
	l.stop.done = true
	unacked := l.conn.unacked
	if l.conn.sock != nil {
		l.out.Transmitted(l.conn.sock.unsent())
		unacked = l.track.Unacked()
	}
	unacked += l.stop.lost
	unfinished := l.track.Working() + len(l.in.cur.Msgs) - l.in.next
	if unfinished > 0 || unacked > 0 {
		l.stop.err = errors.Join(l.stop.err, fmt.Errorf("%w: %d unfinished, %d acknowledgements not sent",
			ErrUnfinished, unfinished, unacked))
	}
}

// endIdle ends the loop when nothing is connected and no worker has a message.
func (c *conn) endIdle(about) {
	if c.l.track.Working() == 0 {
		c.l.exit()
	}
}

// step raises the events that no call and no edge brings; false when nothing has come of it.
// A state that begins is looked at in the next turn.
func (c *conn) step(now time.Duration) bool {
	l := c.l
	if l.stop.aborted {
		l.exit()
		return true
	}
	if c.run(loopTimers, now); l.stop.done {
		return true
	}
	was := c.state
	if l.stop.leaving && !c.needsResume() {
		c.on(evDrain, about{now: now})
	}
	if c.state == was && c.is(lingers) {
		c.discard(now)
	}
	if c.state == was && !c.resetShown(now) {
		c.run(connTimers, now)
	}
	if c.state == was {
		c.lookForEnd(now)
	}
	if l.stop.leaving {
		c.drainPool()
	}
	return c.state != was || l.stop.done || c.is(lingers) && c.peer.readable
}

// resetShown handles a reset that no call will show.
func (c *conn) resetShown(now time.Duration) bool {
	l := c.l
	switch {
	case !c.peer.reset || !c.is(sends):
		return false
	case l.paused && !l.set.codec.EOFCloses:
		// Reading would show it, but there is no room to read.
		c.lost(now, "receive", c.sock.fault())
	case l.in.sendBlocked != 0:
		// Sending would show it, but there is nothing to send.
		c.cannotSend(now, c.sock.fault())
	default:
		return false
	}
	return true
}

// lookForEnd moves on a connection of which everything is acked, or sent.
func (c *conn) lookForEnd(now time.Duration) {
	l := c.l
	switch {
	case c.is(finishes) && l.track.Finished() && !l.in.pending() && c.end.rest == 0:
		c.on(evAllAcked, about{now: now})
	case c.is(closes) && l.out.Len() == 0:
		c.closeSend(now)
	}
}

// drainPool tells the handlers, once, that there will be no more messages. After a signal
// that is at once, and messages that no worker has are dropped; but if the server was asked
// to stop, it counts messages as delivered until it answers. If the server has closed,
// everything that it sent is handed out first. A connection that is open during the drain
// is there for acks alone.
func (c *conn) drainPool() {
	l := c.l
	atOnce := l.stop.deadline != 0 && c.state != stopAnswered
	switch {
	case l.stop.drained,
		c.state == stopSent,
		c.is(finishes) && !atOnce && (l.in.pending() || c.end.rest != 0):
		return
	}
	l.stop.drained = true
	l.pool.Drain()
}
