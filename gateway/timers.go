package gateway

import (
	"fmt"
	"time"

	"feedgate/gateway/wire"
)

const (
	// errorGrace is how long messages received before a protocol error have to be
	// finished and acked.
	errorGrace = time.Second
	// stopRest is how long messages are awaited after a server has answered that it sends
	// no more: one of its threads may be about to send one.
	stopRest = 50 * time.Millisecond
	// lingerTime is how long the server has to close after its TCP has
	// acknowledged all.
	lingerTime = time.Second
	// lingerPoll is how often the socket is asked whether it has.
	lingerPoll = 20 * time.Millisecond
)

// anyTurn is due in every turn; the loop is not woken for it.
const anyTurn = -1

// timer is one thing that the loop does, or looks at again, once its time has come.
type timer struct {
	name string
	in   stateSet                         // where it runs
	due  func(k *conn) time.Duration      // 0: it does not run
	fire func(k *conn, now time.Duration) // nil: a stage of the turn looks whenever the loop turns
}

// loopTimers come first in a turn, whatever the connection does.
var loopTimers = []timer{
	{"--drain-timeout", anyState,
		func(k *conn) time.Duration { return k.l.stop.deadline },
		func(k *conn, _ time.Duration) { k.l.exit() }},
	{"repeated log lines", anyState,
		func(k *conn) time.Duration { return k.repeats.nextDue() },
		func(k *conn, now time.Duration) { k.repeats.flush(now) }},
}

// connTimers are the connection's, in the order in which they fire.
var connTimers = []timer{
	{"redial", in(offline),
		func(k *conn) time.Duration {
			if k.l.stop.leaving && !k.needsResume() {
				return 0
			}
			return k.redial
		},
		func(k *conn, now time.Duration) { k.on(evRedial, about{now: now}) }},
	{"heartbeat", decodes, (*conn).heartbeatDue, (*conn).heartbeat},
	{"--connect-timeout", in(login),
		func(k *conn) time.Duration { return k.loginBy },
		func(k *conn, now time.Duration) {
			k.l.stats.addError(wire.Login)
			k.lost(now, "log in", fmt.Errorf("no answer within --connect-timeout %v", k.l.cfg.ConnectTimeout))
		}},
	{"--write-timeout", sends,
		func(k *conn) time.Duration {
			if !k.writePending() {
				return 0
			}
			return k.wrote + k.l.cfg.WriteTimeout
		},
		func(k *conn, now time.Duration) {
			k.lost(now, "send", fmt.Errorf("nothing was accepted for --write-timeout %v", k.l.cfg.WriteTimeout))
		}},
	{"--idle-timeout", receives,
		func(k *conn) time.Duration {
			if k.l.cfg.IdleTimeout == NoTimeout || k.idlePaused() {
				return 0
			}
			return k.heard + k.l.cfg.IdleTimeout
		},
		func(k *conn, now time.Duration) {
			k.lost(now, "receive", fmt.Errorf("nothing came for --idle-timeout %v", k.l.cfg.IdleTimeout))
		}},
	{"last messages after a stop", finishes,
		func(k *conn) time.Duration { return k.end.rest },
		func(k *conn, _ time.Duration) { k.end.rest = 0 }},
	{"grace", finishes,
		func(k *conn) time.Duration { return k.end.grace },
		func(k *conn, now time.Duration) { k.on(evGraceOver, about{now: now}) }},
	{"delayed cumulative ack", sends,
		func(k *conn) time.Duration { return k.l.track.Due() }, nil},
	{"unsent acks in the kernel", sends,
		func(k *conn) time.Duration {
			if k.l.in.sendBlocked == 0 {
				return 0
			}
			return k.l.in.recheckAt()
		}, nil},
	{"shortage of memory", sends,
		func(k *conn) time.Duration {
			if !k.l.short {
				return 0
			}
			return k.l.lastTurn + slabRetry
		}, nil},
	{"linger", lingers,
		func(k *conn) time.Duration { return k.end.linger },
		func(k *conn, now time.Duration) { k.on(evLingerOver, about{now: now}) }},
	{"linger stalled", lingers,
		func(k *conn) time.Duration {
			if k.end.linger != 0 || k.l.lastTurn-k.wrote < k.l.cfg.WriteTimeout {
				return 0
			}
			return anyTurn // the poll has woken the loop
		},
		func(k *conn, now time.Duration) { k.on(evLingerOver, about{now: now}) }},
	{"linger poll", lingers,
		func(k *conn) time.Duration {
			if k.end.linger != 0 {
				return 0
			}
			return k.l.lastTurn + lingerPoll
		}, nil},
}

// run fires what is due, up to the first that ends the state.
func (k *conn) run(timers []timer, now time.Duration) {
	was := k.state
	for i := range timers {
		t := &timers[i]
		if t.fire == nil || !t.in.has(k.state) {
			continue
		}
		if at := t.due(k); at == 0 || now < at {
			continue
		}
		if t.fire(k, now); k.state != was || k.l.stop.done {
			return
		}
	}
}

// nextDue is when the loop must turn at the latest; zero: when something happens.
func (k *conn) nextDue() time.Duration {
	due := time.Duration(0)
	for _, timers := range [...][]timer{loopTimers, connTimers} {
		for i := range timers {
			if t := &timers[i]; t.in.has(k.state) {
				due = earliest(due, max(0, t.due(k)))
			}
		}
	}
	return due
}

// heartbeatDue is when the protocol wants to send something of its own, such as a
// heartbeat. Nothing may follow its close.
func (k *conn) heartbeatDue() time.Duration {
	switch {
	case k.l.track.AckingStopped():
		return 0
	case k.tick == 0:
		return anyTurn
	}
	return k.tick
}

func (k *conn) heartbeat(now time.Duration) {
	l := k.l
	var frames []byte
	frames, k.tick = k.conn.Tick(l.out.AvailableBuffer(), now)
	l.out.Write(frames)
	l.in.more = l.in.more || k.tick != 0 && !l.paused
}

// earliest is the lesser of two times of which zero is never.
func earliest(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
