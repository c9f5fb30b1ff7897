package main

import (
	"log/slog"
	"time"

	"feedgate/gateway/admin"
)

// statsLines logs a line for each upstream every period, until it is stopped.
type statsLines struct {
	log       *slog.Logger
	upstreams func() []admin.Upstream
	meters    meters
}

// every calls tick every period on a goroutine, first after one, until the function that it returns is
// called, which waits for the goroutine's end. A period of 0 is never.
func every(period time.Duration, tick func(now time.Time)) (stop func()) {
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
			case now := <-ticker.C:
				tick(now)
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

// startStatsLines starts to log; period 0: never.
func startStatsLines(log *slog.Logger, period time.Duration, upstreams func() []admin.Upstream) (stop func()) {
	s := &statsLines{log: log, upstreams: upstreams, meters: meters{}}
	if period > 0 {
		s.next(time.Now(), func(string, rates) {})
	}
	return every(period, func(now time.Time) { s.next(now, s.write) })
}

func (s *statsLines) next(now time.Time, with func(upstream string, r rates)) {
	for _, u := range s.upstreams() {
		with(u.Label, s.meters.next(u.Stats, now))
	}
}

func (s *statsLines) write(upstream string, r rates) {
	s.log.Info("stats", "upstream", upstream,
		"messages_per_s", int64(r.messages+0.5), "acked_per_s", int64(r.acked+0.5),
		"in_flight", r.inFlight, "oldest_unacked", r.oldest.Round(time.Millisecond), "p99", r.p99.Round(time.Microsecond),
		"waiting_for", string(r.waiting.For), "where", r.waiting.Words)
}
