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
	owed := l.link.owed
	if l.link.sock != nil {
		l.out.Transmitted(l.link.sock.unsent())
		owed = l.track.Unacked()
	}
	owed += l.stop.lost
	unfinished := l.track.Working() + len(l.in.cur.Msgs) - l.in.next
	if unfinished > 0 || owed > 0 {
		l.stop.err = errors.Join(l.stop.err, fmt.Errorf("%w: %d unfinished, %d acknowledgements not sent",
			ErrUnfinished, unfinished, owed))
	}
}

// endIdle ends the loop when nothing is connected and no worker has a message.
func (k *conn) endIdle(about) {
	if k.l.track.Working() == 0 {
		k.l.exit()
	}
}

// step raises the events that no call and no edge brings; false when nothing has come of it.
// A state that begins is looked at in the next turn.
func (k *conn) step(now time.Duration) bool {
	l := k.l
	if l.stop.aborted {
		l.exit()
		return true
	}
	if k.run(loopTimers, now); l.stop.done {
		return true
	}
	was := k.state
	if l.stop.leaving && !k.needsResume() {
		k.on(evDrain, about{now: now})
	}
	if k.state == was && k.is(lingers) {
		k.discard(now)
	}
	if k.state == was && !k.resetShown(now) {
		k.run(connTimers, now)
	}
	if k.state == was {
		k.lookForEnd(now)
	}
	if l.stop.leaving {
		k.drainPool()
	}
	return k.state != was || l.stop.done || k.is(lingers) && k.peer.readable
}

// resetShown handles a reset that no call will show.
func (k *conn) resetShown(now time.Duration) bool {
	l := k.l
	switch {
	case !k.peer.reset || !k.is(sends):
		return false
	case l.paused && !l.set.traits.EOFCloses:
		// Reading would show it, but there is no room to read.
		k.lost(now, "receive", k.sock.fault())
	case l.in.sendBlocked != 0:
		// Sending would show it, but there is nothing to send.
		k.cannotSend(now, k.sock.fault())
	default:
		return false
	}
	return true
}

// lookForEnd moves on a connection of which everything is acked, or sent.
func (k *conn) lookForEnd(now time.Duration) {
	l := k.l
	switch {
	case k.is(finishes) && l.track.Finished() && !l.in.pending() && k.end.rest == 0:
		k.on(evAllAcked, about{now: now})
	case k.is(closes) && l.out.Len() == 0:
		k.closeSend(now)
	}
}

// drainPool tells the handlers, once, that there will be no more messages. After a signal
// that is at once, and messages that no worker has are dropped; but if the server was asked
// to stop, it counts messages as delivered until it answers. If the server has closed,
// everything that it sent is handed out first. A connection that is open during the drain
// is there for acks alone.
func (k *conn) drainPool() {
	l := k.l
	atOnce := l.stop.deadline != 0 && k.state != stopAnswered
	switch {
	case l.stop.drained,
		k.state == stopSent,
		k.is(finishes) && !atOnce && (l.in.pending() || k.end.rest != 0):
		return
	}
	l.stop.drained = true
	l.pool.Drain()
}
