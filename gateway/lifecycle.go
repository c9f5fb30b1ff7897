package gateway

import (
	"errors"
	"fmt"
	"time"

	"feedgate/gateway/wire"
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

// step moves the connection on through its phases; false when it stays.
func (k *link) step(now time.Duration) bool {
	l := k.l
	if l.stop.leaving {
		if l.stop.aborted || l.stop.deadline != 0 && now >= l.stop.deadline {
			l.exit()
			return true
		}
	}
	k.repeats.flush(now)
	was := k.phase
	switch k.phase {
	case offline:
		k.stepOffline(now)
	case dialing:
		if l.stop.leaving && !k.awaiting() {
			k.cancel()
		}
	case login, open:
		if l.stop.leaving && !k.awaiting() && !k.askToStop() {
			k.finish(wire.CloseShuttingDown)
			break
		}
		k.checkAlive(now)
	case finishing:
		k.stepFinishing(now)
	case goodbye:
		k.checkAlive(now)
		if k.phase == goodbye && l.out.Len() == 0 {
			k.startClose(now)
		}
	case lingering:
		k.stepLingering(now)
	}
	if l.stop.leaving {
		k.drainPool()
	}
	return k.phase != was || l.stop.done || k.phase == lingering && k.readable
}

// askToStop asks the peer, once, to send no more, if the protocol can; false if it cannot.
// Messages before the answer are processed: the peer counts them as delivered.
func (k *link) askToStop() bool {
	if !k.l.set.codec.Stops || k.phase != open || k.l.stop.err != nil {
		return false
	}
	if !k.stopping {
		k.stopping = true
		k.l.out.Write(k.conn.AppendStop(k.l.out.AvailableBuffer()))
	}
	return true
}

// drainPool tells the handlers, once, that there will be no more messages. After a signal
// that is at once, and messages that no worker has are dropped; but if the server was asked
// to stop, it counts messages as delivered until it answers. If the server has closed,
// everything that it sent is handed out first. A connection that is open during the drain
// is there for acks alone.
func (k *link) drainPool() {
	l := k.l
	atOnce := l.stop.deadline != 0 && !k.stopping
	switch {
	case l.stop.drained,
		k.phase == open && k.stopping,
		k.phase == finishing && !atOnce && (l.in.pending() || l.lastTurn < k.rest):
		return
	}
	l.stop.drained = true
	l.pool.Drain()
}

func (k *link) stepOffline(now time.Duration) {
	switch {
	case k.l.stop.leaving && !k.awaiting():
		if k.l.track.Working() == 0 {
			k.l.exit()
		}
	case now >= k.redial:
		k.startDial()
	}
}

// ticking reports whether the protocol may still send something of its own, such as a
// heartbeat; nothing may follow its goodbye.
func (k *link) ticking() bool { return k.phase != goodbye && !k.l.track.AckingStopped() }

// checkAlive sends the protocol's heartbeat when it is due, and ends a connection whose
// peer is dead.
func (k *link) checkAlive(now time.Duration) {
	l := k.l
	if k.ticking() && (k.tick == 0 || now >= k.tick) {
		var frames []byte
		frames, k.tick = k.conn.Tick(l.out.AvailableBuffer(), now)
		l.out.Write(frames)
		l.in.more = l.in.more || k.tick != 0 && k.decoding() && !l.paused
	}
	idle := l.cfg.IdleTimeout
	switch {
	case k.dead && l.paused && !l.set.codec.EOFCloses:
		// Reading would show it, but there is no room to read.
		k.lost(now, "receive", k.sock.fault())
	case k.dead && l.in.sendBlocked != 0:
		// Sending would show it, but there is nothing to send.
		k.cannotSend(now, k.sock.fault())
	case k.phase == login && now >= k.deadline:
		l.stats.addError(wire.Login)
		k.lost(now, "log in", fmt.Errorf("no answer within --connect-timeout %v", l.cfg.ConnectTimeout))
	case k.writePending() && now-k.wrote >= l.cfg.WriteTimeout:
		k.lost(now, "send", fmt.Errorf("nothing was accepted for --write-timeout %v", l.cfg.WriteTimeout))
	case k.phase == open && idle != NoTimeout && !k.idlePaused() && now-k.heard >= idle:
		k.lost(now, "receive", fmt.Errorf("nothing came for --idle-timeout %v", idle))
	}
}

// stepFinishing sends the goodbye when everything that was read is acked, or time is up.
func (k *link) stepFinishing(now time.Duration) {
	l := k.l
	k.checkAlive(now)
	if k.phase != finishing {
		return
	}
	through := l.track.Finished() && !l.in.pending() && now >= k.rest
	if !through && (k.deadline == 0 || now < k.deadline) {
		return
	}
	k.phase, k.deadline = goodbye, 0
	l.track.EndAcks()
	l.out.Write(k.conn.AppendClose(l.out.AvailableBuffer(), k.why))
}

// nextDue is when the loop must turn at the latest; zero: when something happens.
func (k *link) nextDue() time.Duration {
	l := k.l
	due := earliest(l.stop.deadline, k.repeats.nextDue())
	switch k.phase {
	case offline:
		if !l.stop.leaving || k.awaiting() {
			due = earliest(due, k.redial)
		}
	case login, open, finishing, goodbye:
		due = earliest(due, k.deadline)
		if k.phase == finishing && l.lastTurn < k.rest {
			due = earliest(due, k.rest)
		}
		if k.ticking() {
			due = earliest(due, k.tick)
		}
		due = earliest(due, l.track.Due())
		if l.in.sendBlocked != 0 {
			due = earliest(due, l.in.recheckAt())
		}
		if k.writePending() {
			due = earliest(due, k.wrote+l.cfg.WriteTimeout)
		}
		if l.short {
			due = earliest(due, l.lastTurn+slabRetry)
		}
		if k.phase == open && l.cfg.IdleTimeout != NoTimeout && !k.idlePaused() {
			due = earliest(due, k.heard+l.cfg.IdleTimeout)
		}
	case lingering:
		due = earliest(due, k.deadline)
		if k.deadline == 0 {
			due = earliest(due, l.lastTurn+lingerPoll)
		}
	}
	return due
}

// earliest is the lesser of two times of which zero is never.
func earliest(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
