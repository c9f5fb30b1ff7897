package gateway

import (
	"fmt"
	"time"

	"feedgate/gateway/wire"
)

const (
	// errorGrace is the time for finishing and acking messages that precede a protocol error.
	errorGrace = time.Second
	// stopGrace is how long to read on after the server has answered a stop: another of its threads
	// may still be about to send a message.
	stopGrace = 50 * time.Millisecond
	// lingerTime is how long the server has to close once its TCP has acknowledged everything.
	lingerTime = time.Second
	// lingerPoll is how often to check whether its TCP has.
	lingerPoll = 20 * time.Millisecond
)

// everyTurn as a due time means in every turn. The loop is not woken for it.
const everyTurn = -1

// timer runs an action, or wakes the loop, at a certain time.
type timer struct {
	name string
	in   stateSet                         // states in which it runs
	due  func(c *conn) time.Duration      // 0: never, as things are
	fire func(c *conn, now time.Duration) // nil: it only wakes the loop, a step of which does the check
}

// loopTimers are independent of the connection. They fire first in a turn.
var loopTimers = []timer{
	{"--drain-timeout", anyState,
		func(c *conn) time.Duration { return c.l.stop.deadline },
		func(c *conn, _ time.Duration) { c.l.exit() }},
	{"--stall-after", anyState,
		func(c *conn) time.Duration { return c.l.stall.due(c.l) },
		func(c *conn, now time.Duration) { c.l.stall.report(c.l, now) }},
	{"status", anyState,
		func(c *conn) time.Duration { return c.l.status.due(c.l) },
		func(c *conn, now time.Duration) { c.l.status.tick(c.l, now) }},
	{"repeated log lines", anyState,
		func(c *conn) time.Duration { return c.log.Due() },
		func(c *conn, now time.Duration) { c.log.Flush(now) }},
}

// connTimers are the timers of the connection, in the order in which they fire.
var connTimers = []timer{
	{"redial", in(offline),
		func(c *conn) time.Duration {
			if c.l.stop.ending && !c.needsResume() {
				return 0
			}
			return c.redialAt
		},
		func(c *conn, now time.Duration) { c.on(evRedial, details{now: now}) }},
	{"heartbeat", decodes, (*conn).heartbeatDue, (*conn).heartbeat},
	{"--connect-timeout", in(login),
		func(c *conn) time.Duration { return c.loginDeadline },
		func(c *conn, now time.Duration) {
			c.l.stats.addError(wire.Login)
			c.lost(now, "log in", fmt.Errorf("no answer within --connect-timeout %v", c.l.cfg.ConnectTimeout))
		}},
	{"--write-timeout", sends,
		func(c *conn) time.Duration {
			if !c.writePending() {
				return 0
			}
			return c.lastAccepted + c.l.cfg.WriteTimeout
		},
		func(c *conn, now time.Duration) {
			c.lost(now, "send", fmt.Errorf("the server accepted nothing for --write-timeout %v", c.l.cfg.WriteTimeout))
		}},
	{"--idle-timeout", receives,
		func(c *conn) time.Duration {
			if c.l.cfg.IdleTimeout == NoTimeout || c.idlePaused() {
				return 0
			}
			return c.idleSince + c.l.cfg.IdleTimeout
		},
		func(c *conn, now time.Duration) {
			c.lost(now, "receive", fmt.Errorf("nothing was received for --idle-timeout %v", c.l.cfg.IdleTimeout))
		}},
	{"dead path", watches,
		func(c *conn) time.Duration { return c.path.next },
		(*conn).checkPath},
	{"last messages after a stop", finishes,
		func(c *conn) time.Duration { return c.end.moreUntil },
		func(c *conn, _ time.Duration) { c.end.moreUntil = 0 }},
	{"grace", finishes,
		func(c *conn) time.Duration { return c.end.grace },
		func(c *conn, now time.Duration) { c.on(evGraceExpired, details{now: now}) }},
	{"delayed cumulative ack", sends,
		func(c *conn) time.Duration { return c.l.track.Due() }, nil},
	{"acks in the kernel", sends,
		func(c *conn) time.Duration {
			if c.l.receiver.sendBlockedSince == 0 {
				return 0
			}
			return c.l.receiver.recheckAt()
		}, nil},
	{"shortage of memory", sends,
		func(c *conn) time.Duration {
			if !c.l.memoryShort {
				return 0
			}
			return c.l.lastTurn + slabRetry
		}, nil},
	{"linger", lingers,
		func(c *conn) time.Duration { return c.end.linger },
		func(c *conn, now time.Duration) { c.on(evLingerEnded, details{now: now}) }},
	{"linger stalled", lingers,
		func(c *conn) time.Duration {
			if c.end.linger != 0 || c.l.lastTurn-c.lastAccepted < c.l.cfg.WriteTimeout {
				return 0
			}
			return everyTurn // linger poll wakes the loop
		},
		func(c *conn, now time.Duration) { c.on(evLingerEnded, details{now: now}) }},
	{"linger poll", lingers,
		func(c *conn) time.Duration {
			if c.end.linger != 0 {
				return 0
			}
			return c.l.lastTurn + lingerPoll
		}, nil},
}

// fireTimers fires the timers that are due, until one changes the state.
func (c *conn) fireTimers(timers []timer, now time.Duration) {
	was := c.state
	for i := range timers {
		t := &timers[i]
		if t.fire == nil || !t.in.has(c.state) {
			continue
		}
		if at := t.due(c); at == 0 || now < at {
			continue
		}
		if t.fire(c, now); c.state != was || c.l.stop.done {
			return
		}
	}
}

// nextDue returns the time by which the loop must turn; 0: it can wait for an edge or a reply.
func (c *conn) nextDue() time.Duration {
	due := time.Duration(0)
	for _, timers := range [...][]timer{loopTimers, connTimers} {
		for i := range timers {
			if t := &timers[i]; t.in.has(c.state) {
				due = earliest(due, max(0, t.due(c)))
			}
		}
	}
	return due
}

// heartbeatDue returns when to call the protocol's Tick, for a heartbeat or the like; 0 if the peer no
// longer accepts bytes.
func (c *conn) heartbeatDue() time.Duration {
	switch {
	case c.l.track.AckingStopped():
		return 0
	case c.tickAt == 0:
		return everyTurn
	}
	return c.tickAt
}

func (c *conn) heartbeat(now time.Duration) {
	l := c.l
	var frames []byte
	frames, c.tickAt = c.proto.Tick(l.out.AvailableBuffer(), now)
	l.out.Write(frames)
	l.receiver.decodeMore = l.receiver.decodeMore || c.tickAt != 0 && !l.paused && !l.receiver.ended
}

// earliest returns the earlier of two times, where 0 means never.
func earliest(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
