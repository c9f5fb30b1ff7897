package report

import (
	"math"
	"slices"
	"strings"

	"feedgate/bench"
)

// unit is a unit of a figure.
type unit struct {
	name  string
	short string // behind a value of an axis that has several units
	scale float64
}

// units are the units of a kind of figure, ascending.
type units struct {
	all []unit
	// most is the median from which the next larger unit is used.
	most float64
}

// mostDigits is the end of a spread from which the next larger unit is used.
const mostDigits = 1e4

var (
	rates = &units{most: 1e3, all: []unit{{"msg/s", "", 1}, {"k msg/s", "k", 1e3}, {"M msg/s", "M", 1e6}}}
	// The best CPU times of a table are near 20 ns, and stay legible beside 5000 ns.
	cpuTimes  = &units{most: 1e4, all: []unit{{"ns", "ns", 1}, {"µs", "µs", 1e3}, {"ms", "ms", 1e6}, {"s", "s", 1e9}}}
	latencies = &units{most: 1e3, all: []unit{{"ns", "ns", 1e-3}, {"µs", "µs", 1}, {"ms", "ms", 1e3}, {"s", "s", 1e6}}}
)

// pick returns the smallest unit in which no median and no end of a spread is too long.
func (u *units) pick(median, end float64) unit {
	for _, one := range u.all {
		if median < u.most*one.scale && end < mostDigits*one.scale {
			return one
		}
	}
	return u.all[len(u.all)-1]
}

// value formats a value with the unit that suits it alone.
func (u *units) value(v float64, format func(float64) string) string {
	if v == 0 {
		return format(0)
	}
	one := u.all[0]
	for _, larger := range u.all[1:] {
		if math.Abs(v) >= larger.scale {
			one = larger
		}
	}
	return strings.TrimSpace(format(v/one.scale) + " " + one.short)
}

// column is a figure of some rows, in one unit.
type column struct {
	metric
	unit unit
}

// column returns the column of rows. All latencies have one unit, those of a chart included.
func (m metric) column(rows []*bench.Row) column {
	if m.units == nil {
		return column{m, unit{scale: 1}}
	}
	median, end := 0.0, 0.0
	if m.units == latencies {
		median, end = ofDistributions(rows)
	}
	for _, other := range metrics {
		if other.units != m.units || m.units != latencies && other.name != m.name {
			continue
		}
		for _, r := range rows {
			if v := other.of(r); v != nil {
				median = max(median, math.Abs(*v))
			}
			if i, ok := other.interval(r); ok {
				end = max(end, math.Abs(i.Lo), math.Abs(i.Hi))
			}
		}
	}
	return column{m, m.units.pick(median, end)}
}

// ofDistributions returns the largest median and the largest end of a spread of the rows' latency
// distributions.
func ofDistributions(rows []*bench.Row) (median, end float64) {
	for _, r := range rows {
		if r == nil {
			continue
		}
		for _, p := range r.Latency {
			median, end = max(median, math.Abs(p.US)), max(end, math.Abs(p.Lo), math.Abs(p.Hi))
		}
	}
	return median, end
}

// columns returns the figures that a row has.
func columns(rows []*bench.Row) []column {
	var all []column
	for _, m := range metrics {
		if slices.ContainsFunc(rows, func(r *bench.Row) bool { return m.of(r) != nil }) {
			all = append(all, m.column(rows))
		}
	}
	return all
}

// head returns the column's head, with its unit.
func (c column) head() string { return strings.Replace(c.metric.head, "%s", c.unit.name, 1) }

// text formats a row's figure and its spread, "" if there is none.
func (c column) text(r *bench.Row) (value, spread string) {
	value = optional(c.of(r), c.unit.scale)
	if i, ok := c.interval(r); ok {
		spread = span(i, c.unit.scale)
	}
	return value, spread
}

// drawable returns the figure as a point. ok is false if it is unknown, negative or out of bounds.
func (c column) drawable(r *bench.Row) (point, bool) {
	v := c.of(r)
	if v == nil {
		return point{}, false
	}
	p := point{value: *v / c.unit.scale}
	p.lo, p.hi = p.value, p.value
	if i, ok := c.interval(r); ok {
		p.lo, p.hi = i.Lo/c.unit.scale, i.Hi/c.unit.scale
	}
	return p.sane()
}
