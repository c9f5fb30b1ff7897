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
	in   phases                           // where it runs
	due  func(k *link) time.Duration      // 0: it does not run
	fire func(k *link, now time.Duration) // nil: a stage of the turn looks whenever the loop turns
}

// loopTimers come first in a turn, whatever the connection does.
var loopTimers = []timer{
	{"end of the drain", anyPhase,
		func(k *link) time.Duration { return k.l.stop.deadline },
		func(k *link, _ time.Duration) { k.l.exit() }},
	{"log", anyPhase,
		func(k *link) time.Duration { return k.repeats.nextDue() },
		func(k *link, now time.Duration) { k.repeats.flush(now) }},
}

// connTimers are the connection's, in the order in which they fire.
var connTimers = []timer{
	{"redial", in(offline),
		func(k *link) time.Duration {
			if k.l.stop.leaving && !k.awaiting() {
				return 0
			}
			return k.redial
		},
		func(k *link, _ time.Duration) { k.startDial() }},
	{"heartbeat", in(login, open, finishing), (*link).heartbeatDue, (*link).heartbeat},
	{"login", in(login),
		func(k *link) time.Duration { return k.loginBy },
		func(k *link, now time.Duration) {
			k.l.stats.addError(wire.Login)
			k.lost(now, "log in", fmt.Errorf("no answer within --connect-timeout %v", k.l.cfg.ConnectTimeout))
		}},
	{"write", in(login, open, finishing, goodbye),
		func(k *link) time.Duration {
			if !k.writePending() {
				return 0
			}
			return k.wrote + k.l.cfg.WriteTimeout
		},
		func(k *link, now time.Duration) {
			k.lost(now, "send", fmt.Errorf("nothing was accepted for --write-timeout %v", k.l.cfg.WriteTimeout))
		}},
	{"idle", in(open),
		func(k *link) time.Duration {
			if k.l.cfg.IdleTimeout == NoTimeout || k.idlePaused() {
				return 0
			}
			return k.heard + k.l.cfg.IdleTimeout
		},
		func(k *link, now time.Duration) {
			k.lost(now, "receive", fmt.Errorf("nothing came for --idle-timeout %v", k.l.cfg.IdleTimeout))
		}},
	{"rest", in(finishing),
		func(k *link) time.Duration { return k.rest },
		func(k *link, _ time.Duration) { k.rest = 0 }},
	{"grace", in(finishing),
		func(k *link) time.Duration { return k.graceEnds },
		func(k *link, _ time.Duration) { k.sayGoodbye() }},
	{"cumulative ack", in(login, open, finishing, goodbye),
		func(k *link) time.Duration { return k.l.track.Due() }, nil},
	{"acks in the kernel", in(login, open, finishing, goodbye),
		func(k *link) time.Duration {
			if k.l.in.sendBlocked == 0 {
				return 0
			}
			return k.l.in.recheckAt()
		}, nil},
	{"memory", in(login, open, finishing, goodbye),
		func(k *link) time.Duration {
			if !k.l.short {
				return 0
			}
			return k.l.lastTurn + slabRetry
		}, nil},
	{"linger", in(lingering),
		func(k *link) time.Duration { return k.lingerEnds },
		func(k *link, now time.Duration) { k.endLinger(now, nil) }},
	{"linger poll", in(lingering),
		func(k *link) time.Duration {
			if k.lingerEnds != 0 {
				return 0
			}
			return k.l.lastTurn + lingerPoll
		}, nil},
}

// run fires what is due, up to the first that ends the phase.
func (k *link) run(timers []timer, now time.Duration) {
	was := k.phase
	for i := range timers {
		t := &timers[i]
		if t.fire == nil || !t.in.has(k.phase) {
			continue
		}
		if at := t.due(k); at == 0 || now < at {
			continue
		}
		if t.fire(k, now); k.phase != was || k.l.stop.done {
			return
		}
	}
}

// nextDue is when the loop must turn at the latest; zero: when something happens.
func (k *link) nextDue() time.Duration {
	due := time.Duration(0)
	for _, timers := range [...][]timer{loopTimers, connTimers} {
		for i := range timers {
			if t := &timers[i]; t.in.has(k.phase) {
				due = earliest(due, max(0, t.due(k)))
			}
		}
	}
	return due
}

// heartbeatDue is when the protocol wants to send something of its own, such as a
// heartbeat. Nothing may follow its goodbye.
func (k *link) heartbeatDue() time.Duration {
	switch {
	case k.l.track.AckingStopped():
		return 0
	case k.tick == 0:
		return anyTurn
	}
	return k.tick
}

func (k *link) heartbeat(now time.Duration) {
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
