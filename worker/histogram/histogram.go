// Package histogram counts durations and sizes in buckets, for metrics. Any goroutine may call the
// methods. The zero values are empty histograms.
package histogram

import (
	"sync/atomic"
	"time"
)

// Snapshot is a histogram at roughly one time: its counters are read one after the other.
type Snapshot struct {
	Count  uint64
	Sum    float64   // in seconds, or in the unit of the sizes
	Bounds []float64 // upper bounds of the buckets, ascending, in the same unit
	Counts []uint64  // observations up to each bound, cumulative; observations above the last are in Count only
}

const durationBuckets = 24

// durationBounds are the upper bounds of the buckets of Durations, in nanoseconds.
var durationBounds = [durationBuckets]int64{
	1e3, 2e3, 5e3, 10e3, 20e3, 50e3, 100e3, 200e3, 500e3, 1e6, 2e6, 5e6, 10e6, 20e6, 50e6,
	100e6, 200e6, 500e6, 1e9, 2e9, 5e9, 10e9, 30e9, 60e9,
}

// Durations is a histogram of durations, from 1 µs to a minute.
type Durations struct {
	counts [durationBuckets + 1]atomic.Uint64
	sum    atomic.Int64 // in nanoseconds
}

// Observe counts n observations of d each.
func (h *Durations) Observe(d time.Duration, n int) {
	h.counts[bucketOf(durationBounds[:], int64(d))].Add(uint64(n))
	h.sum.Add(int64(d) * int64(n))
}

// Snapshot returns the observations so far, in seconds.
func (h *Durations) Snapshot() Snapshot {
	return snapshot(durationBounds[:], h.counts[:], 1e9, h.sum.Load())
}

const sizeBuckets = 17

// sizeBounds are the upper bounds of the buckets of Sizes.
var sizeBounds = [sizeBuckets]int64{
	1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16,
}

// Sizes is a histogram of numbers of messages.
type Sizes struct {
	counts [sizeBuckets + 1]atomic.Uint64
	sum    atomic.Int64
}

// Observe counts one observation.
func (h *Sizes) Observe(n int) {
	h.counts[bucketOf(sizeBounds[:], int64(n))].Add(1)
	h.sum.Add(int64(n))
}

// Snapshot returns the observations so far.
func (h *Sizes) Snapshot() Snapshot { return snapshot(sizeBounds[:], h.counts[:], 1, h.sum.Load()) }

// bucketOf returns the index of the first bound that is at least v, or the number of bounds.
func bucketOf(bounds []int64, v int64) int {
	i := 0
	for i < len(bounds) && v > bounds[i] {
		i++
	}
	return i
}

func snapshot(bounds []int64, counts []atomic.Uint64, unit float64, sum int64) Snapshot {
	s := Snapshot{Sum: float64(sum) / unit}
	for i, bound := range bounds {
		s.Count += counts[i].Load()
		s.Bounds, s.Counts = append(s.Bounds, float64(bound)/unit), append(s.Counts, s.Count)
	}
	s.Count += counts[len(bounds)].Load()
	return s
}

// Plus returns the observations of both, which have the same bounds, or of the one that has any bounds.
func (s Snapshot) Plus(o Snapshot) Snapshot {
	if len(s.Bounds) == 0 {
		return o
	}
	sum := Snapshot{s.Count + o.Count, s.Sum + o.Sum, s.Bounds, append([]uint64(nil), s.Counts...)}
	for i, n := range o.Counts {
		sum.Counts[i] += n
	}
	return sum
}

// Minus returns the observations of s that are not in before, an earlier snapshot of the same histogram.
func (s Snapshot) Minus(before Snapshot) Snapshot {
	d := Snapshot{s.Count - before.Count, s.Sum - before.Sum, s.Bounds, append([]uint64(nil), s.Counts...)}
	for i, n := range before.Counts {
		d.Counts[i] -= n
	}
	return d
}

// Quantile estimates the q-quantile as Prometheus's histogram_quantile does: by linear interpolation
// within its bucket; beyond the last bucket, it is the highest bound. ok is false without observations.
func (s Snapshot) Quantile(q float64) (v float64, ok bool) {
	if s.Count == 0 || len(s.Bounds) == 0 {
		return 0, false
	}
	rank := q * float64(s.Count)
	low, below := 0.0, uint64(0)
	for i, bound := range s.Bounds {
		n := s.Counts[i]
		if n > below && float64(n) >= rank {
			return low + (bound-low)*(rank-float64(below))/float64(n-below), true
		}
		low, below = bound, n
	}
	return low, true
}
