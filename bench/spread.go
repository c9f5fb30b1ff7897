package bench

import (
	"math"
	"slices"
)

// Interval is the spread of a figure over the rounds: the narrowest pair of order statistics,
// equally far from both ends, that contains the true median with a confidence of at least 95%, for
// any distribution. With fewer than 6 rounds no pair does, and it is the minimum and the maximum (5
// rounds: 93.75%).
type Interval struct {
	Lo float64 `json:"lo"`
	Hi float64 `json:"hi"`
}

// Overlaps reports whether the intervals have a value in common. If they have none, the figures
// differ by more than their spread.
func (i Interval) Overlaps(o Interval) bool { return i.Lo <= o.Hi && o.Lo <= i.Hi }

const confidence = 0.95

// median returns the median of one or more values and its interval.
func median(values []float64) (float64, Interval) {
	vs := slices.Sorted(slices.Values(values))
	n := len(vs)
	k := outside(n)
	return (vs[(n-1)/2] + vs[n/2]) / 2, Interval{vs[k], vs[n-1-k]}
}

// outside returns how many of n ordered values are outside of the interval at each end. The median
// is below the value at index k with the probability that at most k of n coin tosses are heads.
func outside(n int) int {
	toss := math.Pow(0.5, float64(n))
	tail := 0.0
	for k := 0; ; k++ {
		if tail += toss; 2*tail > 1-confidence {
			return max(k-1, 0)
		}
		toss *= float64(n-k) / float64(k+1)
	}
}
