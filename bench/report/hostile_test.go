package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"feedgate/bench"
)

// TestHostilePage: markup in every text of a file is escaped.
func TestHostilePage(t *testing.T) {
	for _, text := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=y>`, `</svg></style></title><b>`, `' onload='x`, `]]>&lt;<!--`, `{{.}}`, "a\x00b\x1b", `javascript:x`, `url(x)`,
	} {
		hostile := bench.Meta{Machine: text, Kernel: text, Congestion: text, Go: text, Commit: text, Command: []string{text, text}, Notes: []string{text}}
		file := &bench.File{Meta: hostile}
		for _, subject := range []string{text, "feedgate"} {
			for _, size := range []int{1, 2} {
				row := withLatencies(result(t, subject, load{size: size, protocol: text}, 3, value{"msgs_per_s", 1e6, 1e6, 1e6}, value{"cpu_ns_per_msg", 5, 4, 6}), 1)
				row.Faults = []string{text}
				file.Rows = append(file.Rows, row)
			}
		}
		page := parsePage(t, Source{text, file}, Source{text, file})
		if n, want := len(captions(t, page)), 2*(2*3+2); n != want {
			t.Errorf("%q: %d charts, not %d", text, n, want)
		}
		// Escaped, in the head, a note, tables, legends and captions.
		if n := strings.Count(page.content(), shorten(clean(text))); n < 20 {
			t.Errorf("%q is there %d times", text, n)
		}
	}
}

// TestAbsurdFigures: charts leave out figures that cannot be drawn.
func TestAbsurdFigures(t *testing.T) {
	absurd := []float64{0, -1, 1e-300, math.SmallestNonzeroFloat64, 1e300, -math.MaxFloat64, math.MaxFloat64, 1}
	file := new(bench.File)
	for i, v := range absurd {
		for j, w := range absurd {
			l := load{size: []int{64, 0, -1, math.MaxInt}[j%4], workers: []int{1, 0, math.MinInt, math.MaxInt}[j/2]}
			row := result(t, fmt.Sprint(i), l, 3, value{"msgs_per_s", v, w, -w}, value{"cpu_ns_per_msg", w, v, v}, value{"p99_us", v, w, w})
			for _, p := range absurd {
				row.Latency = append(row.Latency, bench.Percentile{Percentile: p, US: v, Interval: bench.Interval{Lo: w, Hi: v}},
					bench.Percentile{Percentile: 100 - p, US: w}, bench.Percentile{Percentile: 100 - 1e-12, US: 1})
			}
			file.Rows = append(file.Rows, row)
		}
	}
	for _, file := range []*bench.File{file, {Rows: file.Rows[:1]}, {Rows: []bench.Row{{}, {}}}} {
		for _, path := range parsePage(t, Source{"absurd", file}, Source{"absurd", file}).all("path") {
			if d := path.attr["d"]; strings.ContainsAny(d, "NI") {
				t.Fatal(d)
			}
		}
	}
}

// TestBounds: the file has more of everything than is drawn.
func TestBounds(t *testing.T) {
	many := new(bench.File)
	for i := range 3 * maxBars {
		row := withLatencies(result(t, fmt.Sprint("subject ", i), flatOut, 3, value{"msgs_per_s", 1e6, 9e5, 11e5}), 5)
		for range 1000 {
			row.Latency = append(row.Latency, row.Latency...)
			if len(row.Latency) > 10*maxPoints {
				break
			}
		}
		many.Rows = append(many.Rows, row)
	}
	page := parsePage(t, Source{"many", many})
	sameList(t, captions(t, page), []string{
		"Throughput by subject, the first 40 of 120 rows, 64 B payload, 2 workers, flat out, protocol fg: medians of 3 rounds with their spread.",
		"Latency from sending to its ack by percentile, the first 16 of 120 subjects, 64 B payload, 2 workers, flat out, protocol fg: medians of 3 rounds with their spread as areas.",
	})
	if n := len(page.all("path")); n > 3000 {
		t.Errorf("%d paths", n)
	}

	loads := new(bench.File)
	for size := range maxCharts {
		for _, subject := range []string{"limit", "feedgate"} {
			loads.Rows = append(loads.Rows, result(t, subject, load{size: 1 + size}, 3, value{"msgs_per_s", 1e6, 9e5, 11e5}, value{"cpu_ns_per_msg", 40, 38, 44}))
		}
	}
	page = parsePage(t, Source{"loads", loads}, Source{"loads", loads})
	if n := len(captions(t, page)); n != maxCharts {
		t.Errorf("%d charts", n)
	}
	if want := fmt.Sprintf("would be too many: %d.", 2*(2*maxCharts+2)-maxCharts); !strings.Contains(page.content(), want) {
		t.Errorf("no %q", want)
	}
}
