package main

import (
	"log/slog"
	"time"

	"feedgate/gateway/admin/view"
)

// every calls tick every period on a goroutine, first after one, until the function that it returns is
// called, which waits for the goroutine's end. A period of 0 is never.
func every(period time.Duration, tick func()) (stop func()) {
	if period == 0 {
		return func() {}
	}
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				tick()
			case <-stopping:
				return
			}
		}
	}()
	return func() {
		close(stopping)
		<-stopped
	}
}

// startStatsLines logs a line for each upstream every period; 0: never.
func startStatsLines(log *slog.Logger, period time.Duration, snapshot func() *view.Snapshot) (stop func()) {
	if period == 0 {
		return func() {}
	}
	before := snapshot()
	return every(period, func() {
		now := snapshot()
		for _, u := range view.New(before, now).Upstreams {
			logStats(log, &u)
		}
		before = now
	})
}

func logStats(log *slog.Logger, u *view.Upstream) {
	attrs := []any{
		"upstream", u.Label, "messages_per_s", u.Incoming.Rounded(), "acked_per_s", u.Acked.Rounded(),
		"in_flight", int64(u.InFlight.Now),
		"oldest_unacked", view.Seconds(u.Oldest).Duration().Round(time.Millisecond),
	}
	if u.P99.Known() {
		attrs = append(attrs, "p99", u.P99.Duration().Round(time.Microsecond))
	}
	log.Info("stats", append(attrs, "waiting_for", u.WaitsFor, "where", u.Waiting)...)
}
