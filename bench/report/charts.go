package report

import (
	"fmt"
	"html/template"
	"slices"

	"feedgate/bench"
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
	Table   *chartTable // nil if the table of the load has the values
	canvas  *svgCanvas  // that SVG is from
	name    string      // its accessible name
}

// studio makes the charts of one page.
type studio struct {
	colours palette
	left    int // charts that may still be made
	omitted int // charts that were not
}

func newStudio() *studio { return &studio{colours: make(palette), left: maxCharts} }

// drawing is a bar chart or a line chart.
type drawing interface {
	draw() *svgCanvas
	describe() string   // its values, for readers who cannot see it
	table() *chartTable // all of them
}

// add draws a chart, unless the page has maxCharts already.
func (s *studio) add(to *[]chart, d drawing, caption string) {
	if s.left == 0 {
		s.omitted++
		return
	}
	s.left--
	canvas, name := d.draw(), caption+" "+d.describe()+"."
	*to = append(*to, chart{caption, canvas.embedded(name), d.table(), canvas, name})
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
		b, ok := bars(rows, m.column(g.rows), s.colours)
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
			c, y, text := m.across(g.rows)
			l := &lineChart{x: a.name, y: y, logX: a.log, logY: a.log, height: 300, xText: a.text, yText: text}
			part := l.take(g.rows, s.colours, func(r *bench.Row) (points []xPoint) {
				x := a.of(loadOf(r))
				if p, ok := c.drawable(r); ok && x >= 1 {
					points = append(points, xPoint{x, p})
				}
				return points
			})
			l.shown = l.places()
			if len(l.shown) < 2 {
				continue
			}
			l.xTicks = func(float64) axisTicks { return valueTicks(l.shown, a.text) }
			_, _, least, most := l.bounds()
			l.logY = l.logY || m.better < 0 && most/least > maxRatio
			s.add(&all, l, fmt.Sprintf("%s by %s%s%s, %s: %s.",
				m.title, a.name, logarithmic(l.logY), part, g.key.without(a.varies), spreads(g.rows, "")))
		}
	}
	return all
}

// across returns the column of rows of several loads, the title of its axis, and how its values are
// formatted. If the tables of all loads have one unit, so has the axis, else each value has its own.
func (m metric) across(rows []*bench.Row) (c column, title string, text func(float64, func(float64) string) string) {
	c = m.column(rows)
	for _, g := range grouped(rows, loadOf) {
		if m.column(g.rows).unit != c.unit {
			return column{m, unit{scale: 1}}, m.axis, m.units.value
		}
	}
	return c, c.head(), plain
}

// plain formats a value whose unit is in the title.
func plain(v float64, format func(float64) string) string { return format(v) }

// maxInverse is the end of the axis of percentiles, 99.9999999%.
const maxInverse = 1e9

// latency returns the chart of the latency distributions of one load.
func (s *studio) latency(g group[load]) (all []chart) {
	c := p99.column(g.rows)
	l := &lineChart{x: "percentile", y: "ack latency, " + c.unit.name, logX: true, logY: true, area: true, height: 330,
		xText: percentile, yText: plain, xTicks: percentileTicks}
	part := l.take(g.rows, s.colours, func(r *bench.Row) (points []xPoint) {
		for _, p := range r.Latency {
			at := point{p.US / c.unit.scale, p.Lo / c.unit.scale, p.Hi / c.unit.scale}
			if r.Rounds < 2 {
				at.lo, at.hi = at.value, at.value
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
	for _, t := range percentileTicks(right)[0] {
		if t.Value >= left {
			l.shown = append(l.shown, t.Value)
		}
	}
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
