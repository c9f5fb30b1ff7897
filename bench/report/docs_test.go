package report

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the plots of docs/benchmarks")

// TestPlotsOfTheDocs: the plots in docs/benchmarks are the charts of the results there.
func TestPlotsOfTheDocs(t *testing.T) {
	const dir = "../../docs/benchmarks/"
	for _, c := range []struct{ plot, results, caption string }{
		{"subjects.svg", "main.json", "Throughput by subject"},
		{"cpu.svg", "main.json", "Processor time of the client per message by subject"},
		{"payload.svg", "sizes.json", "Throughput by payload"},
		{"latency.svg", "rate.json", "Latency from when a message was due"},
	} {
		source, err := Load(dir + c.results)
		if err != nil {
			t.Fatal(err)
		}
		page := newStudio().file(&source, "a")
		all := page.Charts
		for _, l := range page.Loads {
			all = append(all, l.Charts...)
		}
		var want string
		for _, chart := range all {
			if strings.HasPrefix(chart.Caption, c.caption) {
				want = chart.canvas.file(chart.name)
				break
			}
		}
		if want == "" {
			t.Fatalf("%s has no chart %q", c.results, c.caption)
		}
		if *update {
			if err := os.WriteFile(dir+c.plot, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(dir + c.plot); err != nil || !sameDrawing(t, string(got), want) {
			t.Errorf("%s is not the chart of %s (%v): go test ./report -run PlotsOfTheDocs -update writes it", c.plot, c.results, err)
		}
	}
}

// sameDrawing reports whether drawings differ at most in the last decimal of a coordinate, as
// processors that multiply and add in one step make them.
func sameDrawing(t *testing.T, a, b string) bool {
	t.Helper()
	if numbers.ReplaceAllString(a, "#") != numbers.ReplaceAllString(b, "#") {
		return false
	}
	others := numbers.FindAllString(b, -1)
	for i, text := range numbers.FindAllString(a, -1) {
		if text != others[i] && !near(parse(t, text), parse(t, others[i]), 0.011) {
			return false
		}
	}
	return true
}

func parse(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
