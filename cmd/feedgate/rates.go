package main

import (
	"time"

	"feedgate/gateway"
	"feedgate/worker/histogram"
)

// rates are what an upstream has done in an interval, and its state at the end of it.
type rates struct {
	messages, acked float64 // per second
	p99             time.Duration
	inFlight, limit int
	oldest          time.Duration
	waiting         gateway.Waiting
}

// meter computes the rates between its calls. One goroutine uses it.
type meter struct {
	at              time.Time
	messages, acked uint64
	latency         histogram.Snapshot
}

// next returns the rates since the last call; the first call only begins an interval.
func (m *meter) next(s *gateway.Stats, now time.Time) rates {
	totals, latency := s.Totals(), s.Latency.Snapshot()
	r := rates{
		inFlight: int(max(s.InFlight.Load(), 0)), limit: s.Limits().InFlight,
		oldest: s.OldestUnacked(), waiting: s.Waiting(),
	}
	if seconds := now.Sub(m.at).Seconds(); !m.at.IsZero() && seconds > 0 {
		r.messages, r.acked = float64(totals.Messages-m.messages)/seconds, float64(totals.Acked-m.acked)/seconds
		if v, ok := latency.Minus(m.latency).Quantile(0.99); ok {
			r.p99 = time.Duration(v * float64(time.Second))
		}
	}
	*m = meter{now, totals.Messages, totals.Acked, latency}
	return r
}

// meters are the meters of upstreams that come and go.
type meters map[*gateway.Stats]*meter

// next returns the rates of one.
func (m meters) next(s *gateway.Stats, now time.Time) rates {
	if m[s] == nil {
		m[s] = new(meter)
	}
	return m[s].next(s, now)
}
