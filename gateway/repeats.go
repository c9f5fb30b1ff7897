package gateway

import (
	"context"
	"log/slog"
	"time"
)

// repeatEvery is the least time between two lines about the same kind of event.
const repeatEvery = time.Second

// repeats logs what can happen many times a second: the first event of a kind at once,
// those that follow within repeatEvery in one line. That line has the latest event's
// details and, if there was more than one, their number as "times". A tally sums its
// events up in its own words instead. The loop owns it.
type repeats struct {
	log     *slog.Logger
	events  []repeat // one for each message and reason; few
	tallies []tallied
	due     time.Duration // when an event is to be logged; 0: never
}

// repeat is one kind of event.
type repeat struct {
	level       slog.Level
	msg, reason string
	until       time.Duration // when it may be logged again
	times       int           // events not logged yet
	args        []any         // of the latest of them
}

// tally counts events of one kind that one line can sum up.
type tally interface {
	// empty reports whether there is nothing to log.
	empty() bool
	// take returns the line, a warning, and starts counting from 0.
	take() (msg string, args []any)
}

type tallied struct {
	tally
	until time.Duration // when it may be logged again
}

// watch logs t from now on whenever it is not empty.
func (r *repeats) watch(t tally) { r.tallies = append(r.tallies, tallied{tally: t}) }

// add logs an event, now or later. Events of one msg and reason are of one kind.
func (r *repeats) add(now time.Duration, level slog.Level, msg, reason string, args ...any) {
	if reason != "" {
		args = append(args, "reason", reason)
	}
	e := r.find(level, msg, reason)
	e.times++
	e.args = args
	if now >= e.until {
		r.write(e, now)
		return
	}
	r.due = earliest(r.due, e.until)
}

func (r *repeats) find(level slog.Level, msg, reason string) *repeat {
	for i := range r.events {
		if e := &r.events[i]; e.msg == msg && e.reason == reason {
			return e
		}
	}
	r.events = append(r.events, repeat{level: level, msg: msg, reason: reason})
	return &r.events[len(r.events)-1]
}

// flush logs what is due.
func (r *repeats) flush(now time.Duration) {
	for i := range r.tallies {
		if t := &r.tallies[i]; now >= t.until && !t.empty() {
			r.writeTally(t, now)
		}
	}
	if r.due == 0 || now < r.due {
		return
	}
	r.due = 0
	for i := range r.events {
		e := &r.events[i]
		switch {
		case e.times == 0:
		case now < e.until:
			r.due = earliest(r.due, e.until)
		default:
			r.write(e, now)
		}
	}
}

// nextDue is when flush has something to log; 0: when something happens.
func (r *repeats) nextDue() time.Duration {
	due := r.due
	for i := range r.tallies {
		if t := &r.tallies[i]; !t.empty() {
			due = earliest(due, max(1, t.until))
		}
	}
	return due
}

// end logs all that is left.
func (r *repeats) end(now time.Duration) {
	for i := range r.tallies {
		if t := &r.tallies[i]; !t.empty() {
			r.writeTally(t, now)
		}
	}
	for i := range r.events {
		if e := &r.events[i]; e.times > 0 {
			r.write(e, now)
		}
	}
	r.due = 0
}

func (r *repeats) write(e *repeat, now time.Duration) {
	if e.times > 1 {
		e.args = append(e.args, "times", e.times)
	}
	r.log.Log(context.Background(), e.level, e.msg, e.args...)
	e.until, e.times, e.args = now+repeatEvery, 0, nil
}

func (r *repeats) writeTally(t *tallied, now time.Duration) {
	t.until = now + repeatEvery
	msg, args := t.take()
	r.log.Warn(msg, args...)
}
