package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// labels returns the labels of the major ticks, in order.
func labels(ticks []plot.Tick) (all []string) {
	for _, t := range ticks {
		if t.Label != "" {
			all = append(all, t.Label)
		}
	}
	return all
}

// TestTickCounts: every range that can be drawn has enough labels, and not too many.
func TestTickCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		lo := math.Pow(10, -6+17.9*rng.Float64())
		hi := min(lo*math.Pow(10, 18*rng.Float64()*rng.Float64()), mostDrawn)
		if n := len(labels(linearTicks(hi, tickText)[0])); n < 5 || n > 11 {
			t.Fatalf("0 to %v: %d labels", hi, n)
		}
		lo, hi = wide(lo, hi)
		ticks := logTicks(lo, hi, tickText)[0]
		if n := len(labels(ticks)); n < 2 || n > 14 {
			t.Fatalf("%v to %v: labels %q", lo, hi, labels(ticks))
		}
		for i, tick := range ticks {
			if tick.Value < lo || tick.Value > hi || i > 0 && tick.Value <= ticks[i-1].Value {
				t.Fatalf("%v to %v: tick at %v", lo, hi, tick.Value)
			}
		}
	}
}

func TestTicks(t *testing.T) {
	ns := func(v float64) string { return cpuTimes.value(v, tickText) }
	for name, c := range map[string]struct {
		ticks axisTicks
		want  []string
	}{
		"linear":     {linearTicks(27.5, tickText), []string{"0", "5", "10", "15", "20", "25"}},
		"small":      {linearTicks(0.07, tickText), []string{"0", "0.01", "0.02", "0.03", "0.04", "0.05", "0.06", "0.07"}},
		"large":      {linearTicks(1.2e5, tickText), []string{"0", "20k", "40k", "60k", "80k", "100k", "120k"}},
		"decades":    {logTicks(15, 6200, tickText), []string{"100", "1000"}},
		"narrow":     {logTicks(8, 200, tickText), []string{"10", "20", "50", "100", "200"}},
		"narrower":   {logTicks(1.5, 6, tickText), []string{"2", "3", "4", "5", "6"}},
		"units":      {logTicks(8, 20000, ns), []string{"10 ns", "100 ns", "1 µs", "10 µs"}},
		"percentile": {percentileTicks(100000), []string{"0%", "50%", "90%", "99%", "99.9%", "99.99%", "99.999%"}},
		"values":     {valueTicks([]float64{0, 0.1, 0.5}, tickText), []string{"0", "0.1", "0.5"}},
	} {
		if got := labels(c.ticks[0]); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

// TestFit: a shorter axis has fewer labels, evenly; those of given values are left out where they touch.
func TestFit(t *testing.T) {
	wide := func(string) vg.Length { return 20 }
	for _, c := range []struct {
		name   string
		ticks  axisTicks
		log    bool
		lo, hi float64
		length vg.Length
		want   []string
	}{
		{"all", linearTicks(8, tickText), false, 0, 8, 200, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8"}},
		{"every second", linearTicks(8, tickText), false, 0, 8, 199, []string{"0", "2", "4", "6", "8"}},
		{"every fifth", linearTicks(10, tickText), false, 0, 10, 29, []string{"0", "10"}},
		{"digits", logTicks(1, 100, tickText), true, 1, 100, 170, []string{"1", "2", "5", "10", "20", "50", "100"}},
		{"decades", logTicks(1, 100, tickText), true, 1, 100, 160, []string{"1", "10", "100"}},
		{"every second decade", logTicks(1, 100, tickText), true, 1, 100, 49, []string{"1", "100"}},
		{"values", valueTicks([]float64{1, 1.2, 5, 9}, tickText), false, 1, 9, 100, []string{"1", "5", "9"}},
		{"out of range", percentileTicks(100), true, 1.01, 100, 300, []string{"50%", "90%", "99%"}},
	} {
		axis := &plot.Axis{Min: c.lo, Max: c.hi, Scale: plot.LinearScale{}}
		if c.log {
			axis.Scale = plot.LogScale{}
		}
		c.ticks.fit(axis, c.length, wide)
		if got := labels(axis.Tick.Marker.Ticks(c.lo, c.hi)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}
