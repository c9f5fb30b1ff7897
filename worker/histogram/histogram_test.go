package histogram

import (
	"math"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestDurations: each observation is in all buckets whose bound is at least as high, and in the sum.
func TestDurations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Durations
		count, sum := uint64(0), 0.0
		var all []float64
		for range rapid.IntRange(0, 50).Draw(t, "observations") {
			d := rapid.OneOf(rapid.Int64Range(0, 1e5), rapid.Int64Range(0, 2e11)).Draw(t, "nanoseconds")
			n := rapid.IntRange(1, 3).Draw(t, "times")
			h.Observe(time.Duration(d), n)
			count, sum = count+uint64(n), sum+float64(d)*float64(n)/1e9
			for range n {
				all = append(all, float64(d)/1e9)
			}
		}
		s := h.Snapshot()
		if s.Count != count || math.Abs(s.Sum-sum) > 1e-6 {
			t.Fatalf("count %d and sum %v, want %d and %v", s.Count, s.Sum, count, sum)
		}
		for i, bound := range s.Bounds {
			want := uint64(0)
			for _, v := range all {
				if v <= bound {
					want++
				}
			}
			if s.Counts[i] != want {
				t.Fatalf("%d observations up to %v, want %d", s.Counts[i], bound, want)
			}
		}
	})
}

// TestObserveAtOnce: no observation of several goroutines is lost.
func TestObserveAtOnce(t *testing.T) {
	var h Sizes
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				h.Observe(i)
			}
		})
	}
	all.Wait()
	if s := h.Snapshot(); s.Count != 4000 || s.Sum != 4*999*1000/2 || s.Counts[len(s.Counts)-1] != 4000 {
		t.Errorf("%+v after 4000 observations", s)
	}
}

func TestQuantile(t *testing.T) {
	var h Durations
	if _, ok := h.Snapshot().Quantile(0.5); ok {
		t.Error("a quantile of nothing")
	}
	h.Observe(15*time.Millisecond, 50) // in (10 ms, 20 ms]
	h.Observe(90*time.Second, 1)       // above the last bound
	s := h.Snapshot()
	if v, ok := s.Quantile(0.5); !ok || math.Abs(v-0.0151) > 1e-4 {
		t.Errorf("p50 is %v", v)
	}
	if v, _ := s.Quantile(1); v != 60 {
		t.Errorf("p100 is %v, not the last bound", v)
	}
}

// TestPlusMinus: what was observed between two snapshots is their difference, and vice versa.
func TestPlusMinus(t *testing.T) {
	var h Durations
	h.Observe(time.Millisecond, 2)
	before := h.Snapshot()
	h.Observe(time.Second, 3)
	between := h.Snapshot().Minus(before)
	if v, _ := between.Quantile(0); between.Count != 3 || between.Sum != 3 || v < 0.5 {
		t.Errorf("%+v between the snapshots", between)
	}
	for _, sum := range []Snapshot{before.Plus(between), between.Plus(before), Snapshot{}.Plus(h.Snapshot())} {
		if sum.Count != 5 || sum.Counts[len(sum.Counts)-1] != 5 || math.Abs(sum.Sum-3.002) > 1e-9 {
			t.Errorf("the sum is %+v", sum)
		}
	}
	if before.Counts[len(before.Counts)-1] != 2 {
		t.Error("Plus has changed its argument")
	}
}
