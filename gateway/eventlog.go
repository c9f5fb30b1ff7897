package gateway

import (
	"context"
	"log/slog"
	"time"

	"feedgate/gateway/internal/throttle"
)

// eventLog logs events that can repeat many times a second: the first of a kind at once, later ones
// at most once a second, with the details of the latest and, if there were several, their number as
// "times". The loop owns it.
type eventLog struct {
	log *slog.Logger
	throttle.Limiter
}

// add logs an event, now or later. Events with the same message and reason are of one kind.
func (l *eventLog) add(now time.Duration, level slog.Level, msg, reason string, args ...any) {
	if reason != "" {
		args = append(args, "reason", reason)
	}
	l.Add(now, throttle.Kind{Message: msg, Detail: reason}, func(times int) {
		if times > 1 {
			args = append(args, "times", times)
		}
		l.log.Log(context.Background(), level, msg, args...)
	})
}

// tally returns a function to be called for each event of a kind that take sums up in one line, a
// warning.
func (l *eventLog) tally(kind string, take func() (msg string, args []any)) (changed func()) {
	write := func(int) {
		msg, args := take()
		l.log.Warn(msg, args...)
	}
	return func() { l.Defer(throttle.Kind{Message: kind}, write) }
}
