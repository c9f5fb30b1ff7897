package bench

import (
	"math/rand/v2"
	"testing"
)

func TestMedianAndItsInterval(t *testing.T) {
	for _, c := range []struct {
		values []float64
		median float64
		spread Interval
	}{
		{[]float64{7}, 7, Interval{7, 7}},
		{[]float64{3, 1}, 2, Interval{1, 3}},
		{[]float64{5, 1, 4, 2, 3}, 3, Interval{1, 5}},
		{[]float64{8, 1, 2, 3, 4, 5, 6, 7}, 4.5, Interval{1, 8}},
		{[]float64{9, 8, 7, 6, 5, 4, 3, 2, 1}, 5, Interval{2, 8}},
	} {
		if m, in := median(c.values); m != c.median || in != c.spread {
			t.Errorf("%v: %v in %v", c.values, m, in)
		}
	}
}

// TestIntervalContainsTheMedian: of a skewed distribution whose median is ln 2.
func TestIntervalContainsTheMedian(t *testing.T) {
	const draws, trueMedian = 20000, 0.6931471805599453
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{6, 7, 9, 11, 15, 30} {
		held := 0
		for range draws {
			values := make([]float64, n)
			for i := range values {
				values[i] = random.ExpFloat64()
			}
			if _, in := median(values); in.Lo <= trueMedian && trueMedian <= in.Hi {
				held++
			}
		}
		if share := float64(held) / draws; share < confidence-0.005 {
			t.Errorf("of %d: %.3f", n, share)
		}
	}
}

func TestOverlaps(t *testing.T) {
	a := Interval{1, 3}
	for b, want := range map[Interval]bool{{0, 0.9}: false, {0, 1}: true, {2, 2}: true, {0, 9}: true, {3, 4}: true, {3.1, 4}: false} {
		if a.Overlaps(b) != want || b.Overlaps(a) != want {
			t.Errorf("%v and %v", a, b)
		}
	}
}
