package main

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// tally is a metrics exporter that counts messages, and ignores the other metrics.
type tally struct {
	received, sent atomic.Int64
	lost           chan struct{} // closed at the end of the input's connection
	lose           func()
}

func newTally() *tally {
	t := &tally{lost: make(chan struct{})}
	t.lose = sync.OnceFunc(func() { close(t.lost) })
	return t
}

// NewCounterCtor implements [service.MetricsExporter].
func (t *tally) NewCounterCtor(name string, _ ...string) service.MetricsExporterCounterCtor {
	counter := service.MetricsExporterCounter(none{})
	switch name {
	case "input_received":
		counter = sum{&t.received}
	case "output_sent":
		counter = sum{&t.sent}
	case "input_connection_lost":
		counter = end{t.lose}
	}
	return func(...string) service.MetricsExporterCounter { return counter }
}

// NewTimerCtor implements [service.MetricsExporter].
func (t *tally) NewTimerCtor(string, ...string) service.MetricsExporterTimerCtor {
	return func(...string) service.MetricsExporterTimer { return none{} }
}

// NewGaugeCtor implements [service.MetricsExporter].
func (t *tally) NewGaugeCtor(string, ...string) service.MetricsExporterGaugeCtor {
	return func(...string) service.MetricsExporterGauge { return none{} }
}

// Close implements [service.MetricsExporter].
func (t *tally) Close(context.Context) error { return nil }

// sum is a counter.
type sum struct{ *atomic.Int64 }

// Incr implements [service.MetricsExporterCounter].
func (s sum) Incr(n int64) { s.Add(n) }

// end is the counter of lost connections. The input calls it before it connects again, and waits forever.
type end struct{ lose func() }

// Incr implements [service.MetricsExporterCounter].
func (e end) Incr(int64) {
	e.lose()
	select {}
}

// none is a metric that is ignored.
type none struct{}

// Incr implements [service.MetricsExporterCounter].
func (none) Incr(int64) {}

// Timing implements [service.MetricsExporterTimer].
func (none) Timing(int64) {}

// Set implements [service.MetricsExporterGauge].
func (none) Set(int64) {}
