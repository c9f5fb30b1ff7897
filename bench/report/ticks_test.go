package report

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/plot"
)

// labels returns the labels of the major ticks, in order.
func labels(ticks plot.ConstantTicks) (all []string) {
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
		if n := len(labels(linearTicks(hi))); n < 5 || n > 11 {
			t.Fatalf("0 to %v: %d labels", hi, n)
		}
		lo, hi = wide(lo, hi)
		ticks := logTicks(lo, hi)
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
	identity := func(v float64) float64 { return v }
	for name, c := range map[string]struct {
		ticks plot.ConstantTicks
		want  []string
	}{
		"linear":     {linearTicks(27.5), []string{"0", "5", "10", "15", "20", "25"}},
		"small":      {linearTicks(0.07), []string{"0", "0.01", "0.02", "0.03", "0.04", "0.05", "0.06", "0.07"}},
		"large":      {linearTicks(1.2e5), []string{"0", "20k", "40k", "60k", "80k", "100k", "120k"}},
		"decades":    {logTicks(15, 6200), []string{"100", "1000"}},
		"narrow":     {logTicks(8, 200), []string{"10", "20", "50", "100", "200"}},
		"narrower":   {logTicks(1.5, 6), []string{"2", "3", "4", "5", "6"}},
		"percentile": {percentileTicks(100000), []string{"0%", "50%", "90%", "99%", "99.9%", "99.99%", "99.999%"}},
		"values":     {valueTicks([]float64{0, 0.05, 0.1, 0.5}, identity, tickText), []string{"0", "0.1", "0.5"}},
	} {
		got := labels(c.ticks)
		if len(got) != len(c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %q, not %q", name, got, c.want)
				break
			}
		}
	}
}
