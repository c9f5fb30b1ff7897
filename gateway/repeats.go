package gateway

import (
	"context"
	"log/slog"
	"time"
)

// repeatEvery is how often an event that repeats is logged.
const repeatEvery = time.Second

// repeats logs what can happen many times a second, such as a failure to connect: the
// first at once, those that follow within repeatEvery in one line, with their number as
// "times" and the details of the last. The loop owns it.
type repeats struct {
	log    *slog.Logger
	events []repeat      // one for each message and reason; few
	due    time.Duration // when flush has something to log; 0: never
}

// repeat is one kind of event.
type repeat struct {
	level       slog.Level
	msg, reason string
	until       time.Duration // before that it is not logged again
	times       int           // it came since it was logged
	args        []any         // of the last
}

// add logs an event, now or later. Events of one msg and reason are of one kind.
func (r *repeats) add(now time.Duration, level slog.Level, msg, reason string, args ...any) {
	if reason != "" {
		args = append(args, "reason", reason)
	}
	e := r.find(level, msg, reason)
	if now >= e.until {
		e.until = now + repeatEvery
		r.log.Log(context.Background(), level, msg, args...)
		return
	}
	e.times++
	e.args = args
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
			e.until = now + repeatEvery
			r.write(e)
		}
	}
}

// end logs all that is left.
func (r *repeats) end() {
	for i := range r.events {
		if e := &r.events[i]; e.times > 0 {
			r.write(e)
		}
	}
	r.due = 0
}

func (r *repeats) write(e *repeat) {
	r.log.Log(context.Background(), e.level, e.msg, append(e.args, "times", e.times)...)
	e.times, e.args = 0, nil
}
