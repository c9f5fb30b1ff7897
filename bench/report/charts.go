package report

import (
	"fmt"
	"html/template"
	"slices"

	"feedgate/bench"

	"gonum.org/v1/plot"
)

// Bounds of a page.
const (
	maxCharts = 120
	maxBars   = 40
)

// chart is a figure of the page.
type chart struct {
	Caption string // one sentence
	SVG     template.HTML
}

// studio makes the charts of one page.
type studio struct {
	colours palette
	left    int // charts that may still be made
	omitted int // charts that were not
	err     error
}

func newStudio() *studio { return &studio{colours: make(palette), left: maxCharts} }

// drawing is a bar chart or a line chart.
type drawing interface {
	svg(label string) (template.HTML, error)
}

// add draws a chart, unless the page has maxCharts already.
func (s *studio) add(to *[]chart, d drawing, caption string) {
	if s.left == 0 {
		s.omitted++
		return
	}
	s.left--
	svg, err := d.svg(caption)
	if err != nil && s.err == nil {
		s.err = err
	}
	*to = append(*to, chart{caption, svg})
}

// spreads returns the part of a caption that explains the spread.
func spreads(rows []*bench.Row, shape string) string {
	if !slices.ContainsFunc(rows, func(r *bench.Row) bool { return r.Rounds > 1 }) {
		return rounds(rows) + ", so without a spread"
	}
	return "medians of " + rounds(rows) + " with their spread" + shape
}

// ofLoad returns the bar charts of one load with several subjects.
func (s *studio) ofLoad(g group[load]) (all []chart) {
	if len(g.rows) < 2 {
		return nil
	}
	rows, part := g.rows, ""
	if len(rows) > maxBars {
		part = fmt.Sprintf(", the first %d of %d rows", maxBars, len(rows))
		rows = rows[:maxBars]
	}
	for _, m := range []metric{rate, clientCPU} {
		b, ok := bars(rows, m, s.colours)
		if !ok {
			continue
		}
		s.add(&all, b, fmt.Sprintf("%s by subject%s%s, %s: %s.",
			m.title, logarithmic(b.log), part, g.key, spreads(rows, "")))
	}
	return all
}

// logarithmic returns the part of a caption for a logarithmic scale.
func logarithmic(log bool) string {
	if log {
		return " on a logarithmic scale"
	}
	return ""
}

// axis is a parameter of loads.
type axis struct {
	name   string
	varies string // for load.without
	log    bool
	of     func(load) float64
	fix    func(load) load // so that loads that differ in nothing else are equal
	text   func(float64) string
}

var axes = []axis{
	{
		name: "payload", varies: "size", log: true,
		of:   func(l load) float64 { return float64(l.size) },
		fix:  func(l load) load { l.size = 0; return l },
		text: func(v float64) string { return payload(int(v)) },
	},
	{
		name: "workers", varies: "workers",
		of:   func(l load) float64 { return float64(l.workers) },
		fix:  func(l load) load { l.workers = 0; return l },
		text: tickText,
	},
}

// along returns the charts of rows that differ only in the axis's parameter, if there are several values.
func (s *studio) along(a axis, rows []*bench.Row) (all []chart) {
	for _, g := range grouped(rows, func(r *bench.Row) load { return a.fix(loadOf(r)) }) {
		for _, m := range []metric{rate, clientCPU} {
			l := &lineChart{x: a.name, y: m.head, logX: a.log, logY: a.log, height: 300}
			part := l.take(g.rows, s.colours, func(r *bench.Row) (points []xPoint) {
				x := a.of(loadOf(r))
				if p, ok := m.drawable(r); ok && x >= 1 {
					points = append(points, xPoint{x, p})
				}
				return points
			})
			values := l.places()
			if len(values) < 2 {
				continue
			}
			l.xTicks = func(p *plot.Plot) plot.ConstantTicks { return valueTicks(values, p.X.Norm, a.text) }
			_, _, least, most := l.bounds()
			l.logY = l.logY || m.better < 0 && most/least > maxRatio
			s.add(&all, l, fmt.Sprintf("%s by %s%s%s, %s: %s.",
				m.title, a.name, logarithmic(l.logY), part, g.key.without(a.varies), spreads(g.rows, "")))
		}
	}
	return all
}

// maxInverse is the end of the axis of percentiles, 99.9999999%.
const maxInverse = 1e9

// latency returns the chart of the latency distributions of one load.
func (s *studio) latency(g group[load]) (all []chart) {
	l := &lineChart{x: "percentile", y: "ack latency, µs", logX: true, logY: true, area: true, height: 330}
	part := l.take(g.rows, s.colours, func(r *bench.Row) (points []xPoint) {
		for _, p := range r.Latency {
			at := point{p.US, p.Lo, p.Hi}
			if r.Rounds < 2 {
				at.lo, at.hi = p.US, p.US
			}
			x := 100 / (100 - p.Percentile)
			if at, ok := at.sane(); ok && x >= 1 && x <= maxInverse {
				points = append(points, xPoint{x, at})
			}
		}
		return points
	})
	left, right, _, _ := l.bounds()
	if !(left < right) {
		return nil
	}
	l.xTicks = func(p *plot.Plot) plot.ConstantTicks { return percentileTicks(p.X.Max) }
	since := "sending"
	if g.key.rate > 0 {
		since = "when a message was due"
	}
	s.add(&all, l, fmt.Sprintf("Latency from %s to its ack by percentile%s, %s: %s.",
		since, part, g.key, spreads(g.rows, " as areas")))
	return all
}

// offered returns the loads with a rate, if any of them has latencies: without a rate, latency only
// shows how much was in flight.
func offered(groups []group[load]) []group[load] {
	var some []group[load]
	for _, g := range groups {
		if g.key.rate > 0 && slices.ContainsFunc(g.rows, func(r *bench.Row) bool { return len(r.Latency) > 0 }) {
			some = append(some, g)
		}
	}
	if some == nil {
		return groups
	}
	return some
}
