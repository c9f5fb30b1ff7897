// Package spin has the sink that burns processor time, spin:, for measurements.
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
		return sink.Target{Open: func(*sink.Config) (*sink.Sink, error) {
			return &sink.Sink{Sink: newSpin(d)}, nil
		}}, nil
	},
}

// spin burns processor time by counting rounds of a loop rather than by looking
// at a clock: time in which the worker does not run, because it was preempted,
// is not work, and a look at the clock would cost a tenth of 500 ns. What a
// message costs anyhow comes on top. A processor that changes its frequency
// after the calibration changes the burnt time with it.
type spin struct {
	worker.AlwaysReady
	rounds int
}

func newSpin(d time.Duration) *spin { return &spin{rounds: roundsFor(d)} }

func (s *spin) Open(worker.Completer) (worker.Handler, error) {
	return &spinner{rounds: s.rounds}, nil
}

type spinner struct {
	rounds int
	result uint64 // keeps the loop from being optimised away
}

func (h *spinner) Handle(b worker.Batch) {
	n := b.Len()
	for range n {
		h.result += burn(h.rounds)
	}
	b.Resolve(n, worker.OK)
}

func (h *spinner) Drain()       {}
func (h *spinner) Close() error { return nil }

// Burner returns a function that burns about d of processor time at each call, as
// spin: does for a message. It may be called by several goroutines at once.
func Burner(d time.Duration) func() {
	rounds := roundsFor(d)
	return func() { _ = burn(rounds) }
}

// burn multiplies in a chain, each round waiting for the one before, so that a
// round takes the same number of cycles whatever else the core could overlap.
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

// nsPerRound is measured once. Everything that can disturb a try makes it longer,
// so the shortest is the one to believe.
var nsPerRound = sync.OnceValue(func() float64 {
	best := time.Duration(math.MaxInt64)
	for range calibrationTries {
		start := time.Now()
		_ = burn(calibrationRounds)
		best = min(best, time.Since(start))
	}
	return float64(max(best, 1)) / calibrationRounds
})

func roundsFor(d time.Duration) int {
	return int(math.Round(float64(d) / nsPerRound()))
}
