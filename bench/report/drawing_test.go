package report

import (
	"encoding/xml"
	"math"
	"regexp"
	"strings"
	"testing"

	"feedgate/bench"
)

// stroke is a path of a drawing.
type stroke struct {
	Path    string `xml:"d,attr"`
	Tone    string `xml:"class,attr"`
	Fill    string `xml:"fill,attr"`
	Opacity string `xml:"fill-opacity,attr"`
	Width   string `xml:"stroke-width,attr"`
}

// strokes returns the paths of a drawing, in order.
func strokes(t *testing.T, d drawing) []stroke {
	t.Helper()
	var drawing struct {
		Label string   `xml:"aria-label,attr"`
		Paths []stroke `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(d.draw().embedded("a <label>")), &drawing); err != nil || drawing.Label != "a <label>" {
		t.Fatalf("%v, label %q", err, drawing.Label)
	}
	return drawing.Paths
}

var numbers = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?`)

// xs returns the horizontal positions of a path without curves.
func (s stroke) xs(t *testing.T) (all []float64) {
	t.Helper()
	for i, text := range numbers.FindAllString(s.Path, -1) {
		if i%2 == 0 {
			all = append(all, parse(t, text))
		}
	}
	return all
}

func near(a, b, by float64) bool { return math.Abs(a-b) <= by }

// TestBarLengths: and of whiskers.
func TestBarLengths(t *testing.T) {
	rows := []bench.Row{
		result(t, "limit", flatOut, 5, value{"msgs_per_s", 20e6, 10e6, 30e6}),
		result(t, "feedgate", flatOut, 5, value{"msgs_per_s", 15e6, 15e6, 15e6}),
	}
	chart, ok := bars(pointers(rows), rate.column(pointers(rows)), make(palette))
	if !ok || chart.log {
		t.Fatal("no chart of bars")
	}
	filled := make(map[string][]float64)
	whiskers := 0
	for _, s := range strokes(t, chart) {
		xs := s.xs(t)
		if s.Fill == "currentColor" && strings.HasSuffix(s.Path, "Z") {
			filled[s.Tone] = xs
		}
		if s.Width == "1.2" && xs[0] != xs[1] {
			whiskers++
			bar := filled["black"]
			if length := bar[1] - bar[0]; !near(xs[0], bar[0]+length/2, 0.1) || !near(xs[1], bar[0]+length*3/2, 0.1) {
				t.Errorf("whisker %v at bar %v", xs, bar)
			}
		}
	}
	limit, own := filled["black"], filled["orange"]
	if len(limit) < 4 || len(own) < 4 {
		t.Fatalf("bars %v", filled)
	}
	if ratio := (own[1] - own[0]) / (limit[1] - limit[0]); !near(ratio, 0.75, 0.001) || own[0] != limit[0] {
		t.Errorf("lengths %v and %v", own, limit)
	}
	if whiskers != 1 {
		t.Errorf("%d whiskers", whiskers)
	}
}

// TestBarScale: it is logarithmic for costs that are far apart, never for rates.
func TestBarScale(t *testing.T) {
	for _, c := range []struct {
		metric metric
		most   float64
		log    bool
	}{{rate, 1e5, false}, {clientCPU, 29, false}, {clientCPU, 31, true}} {
		rows := []bench.Row{
			result(t, "limit", flatOut, 5, value{c.metric.name, 1, 0, 0}),
			result(t, "naive", flatOut, 5, value{c.metric.name, c.most, 0, 0}),
			result(t, "feedgate", flatOut, 5),
		}
		chart, ok := bars(pointers(rows), c.metric.column(pointers(rows)), make(palette))
		if !ok || chart.log != c.log || len(chart.bars) != 3 || chart.bars[2].known {
			t.Errorf("1 to %v: %+v", c.most, chart)
		}
		strokes(t, chart)
		if _, ok := bars(pointers(rows[2:]), c.metric.column(pointers(rows)), make(palette)); ok {
			t.Error("a chart of nothing")
		}
	}
}

// TestLines: our own subject is on top, and the spread is an area or whiskers.
func TestLines(t *testing.T) {
	for _, area := range []bool{true, false} {
		chart := &lineChart{area: area, logX: true, logY: true, height: 200, xText: tickText, yText: plain}
		chart.xTicks = func(float64) axisTicks { return valueTicks(chart.places(), tickText) }
		var rows []bench.Row
		for size := 1; size <= 100; size *= 10 {
			for _, subject := range []string{"feedgate", "limit", "unknown"} {
				rows = append(rows, result(t, subject, load{size: size}, 5, value{"msgs_per_s", 2e6, 1e6, 3e6}))
			}
		}
		part := chart.take(pointers(rows), make(palette), func(r *bench.Row) []xPoint {
			p, ok := column{rate, unit{scale: 1e6}}.drawable(r)
			if !ok {
				t.Fatal("a row without a rate")
			}
			return []xPoint{{float64(r.Size), p}}
		})
		if part != "" || len(chart.lines) != 3 {
			t.Fatalf("%d lines%s", len(chart.lines), part)
		}
		all := strokes(t, chart)
		if last := all[len(all)-1].Tone; last != string(inks[own].tone) {
			t.Errorf("on top: %s", last)
		}
		areas, lines, caps := 0, 0, 0
		for _, s := range all {
			switch {
			case s.Opacity != "":
				areas++
			case s.Width == "2.8", s.Width == "1.4":
				if len(s.xs(t)) == 3 {
					lines++
				}
			case s.Width == "1":
				caps++
			}
		}
		if want := map[bool][2]int{true: {3, 0}, false: {0, 3 * 3 * 3}}[area]; [2]int{areas, caps} != want || lines != 3 {
			t.Errorf("area %v: %d areas, %d lines, %d parts of whiskers", area, areas, lines, caps)
		}
	}
}
