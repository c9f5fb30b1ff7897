package feed

import (
	"regexp"
	"strconv"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// gateway is a `feedgate run` with its metrics and its figures from /proc.
type gateway struct {
	*testkit.Process
	t *testing.T
}

func start(t *testing.T, args ...string) *gateway {
	t.Helper()
	return launch(t, testkit.Launch{Args: args})
}

func launch(t *testing.T, l testkit.Launch) *gateway {
	t.Helper()
	return &gateway{testkit.Start(t, l), t}
}

// metric returns the sum of a metric over its labels. ok is false if it is missing.
func (g *gateway) metric(name string) (sum float64, ok bool) {
	g.t.Helper()
	body, err := g.Get("/metrics")
	if err != nil {
		return 0, false
	}
	line := regexp.MustCompile(`(?m)^` + name + `(?:\{[^}]*\})? (\S+)$`)
	for _, m := range line.FindAllSubmatch(body, -1) {
		value, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			g.t.Fatalf("%s: %v", m[0], err)
		}
		sum, ok = sum+value, true
	}
	return sum, ok
}

// mustMetric is metric, and fails the test if the metric is missing.
func (g *gateway) mustMetric(name string) float64 {
	g.t.Helper()
	value, ok := g.metric(name)
	if !ok {
		g.t.Fatalf("no %s at the admin address", name)
	}
	return value
}
