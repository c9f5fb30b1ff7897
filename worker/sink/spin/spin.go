// Package spin is the sink spin:, which burns CPU time, for measurements.
package spin

import (
	"errors"
	"math"
	"sync"
	"time"

	"feedgate/worker"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
)

// Kind is spin:DURATION.
var Kind = sink.Kind{
	Schemes: []string{"spin"},
	Form:    "spin:DURATION",
	Help:    "burns that much CPU time for each, as in spin:500ns",
	Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
		d, err := time.ParseDuration(u.Rest)
		if err != nil || d < 0 {
			return sink.Target{}, errors.New("want a duration of 0 or more, as in spin:500ns")
		}
		return sink.Target{Open: func(cfg *sink.Config) (*sink.Sink, error) {
			return &sink.Sink{Sink: newSpin(d, cfg.Stats)}, nil
		}}, nil
	},
}

// spin burns CPU time by running a loop for a number of rounds rather than by reading a clock: time
// in which the worker is preempted must not count, and reading the clock takes about 50 ns. The
// usual cost of a message is added to it. If the CPU changes its frequency after the calibration,
// the time changes, too.
type spin struct {
	worker.AlwaysReady
	rounds int
	stats  *sink.Stats
}

func newSpin(d time.Duration, stats *sink.Stats) *spin {
	return &spin{rounds: roundsFor(d), stats: stats}
}

func (s *spin) Open(worker.Completer) (worker.Handler, error) {
	return &spinner{rounds: s.rounds, stats: s.stats}, nil
}

type spinner struct {
	rounds int
	stats  *sink.Stats
	result uint64 // keeps the loop from being optimised away
}

func (h *spinner) Handle(b worker.Batch) {
	n := b.Len()
	for range n {
		h.result += burn(h.rounds)
	}
	b.Resolve(n, worker.OK)
	h.stats.Resolved(worker.OK, n)
}

func (h *spinner) Drain()       {}
func (h *spinner) Close() error { return nil }

// Burner returns a function that burns about d of CPU time per call, as spin: does per message.
// Several goroutines may call it at once.
func Burner(d time.Duration) func() {
	rounds := roundsFor(d)
	return func() { _ = burn(rounds) }
}

// burn runs a chain of multiplications. Each depends on the one before, so a round takes the same
// number of cycles whatever else the core executes in parallel.
//
//go:noinline
func burn(rounds int) uint64 {
	x := uint64(rounds)
	for range rounds {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

const (
	calibrationRounds = 1 << 15 // about 50 µs, much shorter than a time slice
	calibrationTries  = 64
)

// nsPerRound is measured once. Interruptions only make a try longer, so the shortest one is taken.
var nsPerRound = sync.OnceValue(func() float64 {
	best := time.Duration(math.MaxInt64)
	for range calibrationTries {
		start := time.Now()
		_ = burn(calibrationRounds)
		best = min(best, time.Since(start))
	}
	return float64(max(best, 1)) / calibrationRounds
})

// roundsFor returns the number of rounds that take d.
func roundsFor(d time.Duration) int {
	return int(math.Round(float64(d) / nsPerRound()))
}
