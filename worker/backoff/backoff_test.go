package backoff

import (
	"math"
	"testing"
	"time"
)

// TestBounds: a wait is between min and a bound that doubles up to max, both included.
func TestBounds(t *testing.T) {
	lowest := func(int64) int64 { return 0 }
	highest := func(n int64) int64 { return n - 1 }
	for _, c := range []struct {
		min, max time.Duration
		bounds   []time.Duration
	}{
		{100, 1000, []time.Duration{200, 400, 800, 1000, 1000}},
		{100, 150, []time.Duration{150, 150}},
		{100, 100, []time.Duration{100, 100}},
		{100, 1, []time.Duration{100, 100}}, // of a caller that did not check
		{1, 4, []time.Duration{2, 4, 4}},
		{0, 0, []time.Duration{1, 1}},
		{1, math.MaxInt64 - 1, []time.Duration{2, 4, 8}},
		{math.MaxInt64/2 + 1, math.MaxInt64 - 1, []time.Duration{math.MaxInt64 - 1, math.MaxInt64 - 1}},
	} {
		low, high := New(c.min, c.max), New(c.min, c.max)
		low.Draw, high.Draw = lowest, highest
		for round := range 2 {
			for i, want := range c.bounds {
				if got := low.NextBackOff(); got != max(c.min, 1) {
					t.Errorf("%d to %d: shortest wait %d in round %d is %d", c.min, c.max, i, round, got)
				}
				if got := high.NextBackOff(); got != want {
					t.Errorf("%d to %d: longest wait %d in round %d is %d, want %d", c.min, c.max, i, round, got, want)
				}
			}
			low.Reset()
			high.Reset()
		}
	}
}

// TestDraws: waits are spread over the whole range.
func TestDraws(t *testing.T) {
	b := New(time.Millisecond, 3*time.Millisecond)
	b.NextBackOff()
	lower, upper := 0, 0
	for range 1000 {
		d := b.NextBackOff()
		if d < time.Millisecond || d > 3*time.Millisecond {
			t.Fatalf("wait of %v", d)
		}
		if d < 2*time.Millisecond {
			lower++
		} else {
			upper++
		}
	}
	if lower < 100 || upper < 100 {
		t.Errorf("%d waits in the lower half, %d in the upper", lower, upper)
	}
}
