package report

import "feedgate/bench"

// metric defines how a figure of rows is shown.
type metric struct {
	name  string // in JSON, for [bench.Row.Metric]
	head  string // with the unit
	title string // in captions; of those that are drawn
	scale float64
	// For text tables:
	spread bool // its column shows the spread
	block  int  // of a table that is too wide
	// better is 1 if more is better, -1 if less is.
	better int
}

var (
	rate      = metric{name: "msgs_per_s", head: "M msg/s", title: "Throughput", scale: 1e6, spread: true, better: 1}
	clientCPU = metric{name: "cpu_ns_per_msg", head: "client CPU ns/msg", title: "Processor time of the client per message", scale: 1, spread: true, better: -1}
	p99       = metric{name: "p99_us", head: "p99 µs", scale: 1, spread: true, block: 1, better: -1}
)

// metrics are the columns of a table.
var metrics = []metric{
	rate,
	{name: "of_limit", head: "of limit", scale: 1, spread: true, better: 1},
	clientCPU,
	{name: "feed_cpu_ns_per_msg", head: "feed CPU ns/msg", scale: 1, spread: true, better: -1},
	{name: "allocs_per_msg", head: "allocs/msg", scale: 1, better: -1},
	{name: "syscalls_per_msg", head: "syscalls/msg", scale: 1, better: -1},
	{name: "rss_mb", head: "RSS MiB", scale: 1, better: -1},
	{name: "p50_us", head: "p50 µs", scale: 1, spread: true, block: 1, better: -1},
	p99,
	{name: "p999_us", head: "p99.9 µs", scale: 1, spread: true, block: 1, better: -1},
	{name: "max_us", head: "max µs", scale: 1, spread: true, block: 1, better: -1},
}

// compared are the figures by which files are compared.
var compared = []metric{rate, clientCPU, p99}

// of returns the row's figure, nil if it is unknown.
func (m metric) of(r *bench.Row) *float64 {
	if r == nil {
		return nil
	}
	v, _ := r.Metric(m.name)
	return v
}

// interval returns the figure's spread, if it has one.
func (m metric) interval(r *bench.Row) (i bench.Interval, ok bool) {
	if r == nil || r.Rounds < 2 || m.of(r) == nil {
		return i, false
	}
	i, ok = r.Spread[m.name]
	return i, ok
}

// text formats the figure and its spread, "" if there is none.
func (m metric) text(r *bench.Row) (value, spread string) {
	value = optional(m.of(r), m.scale)
	if i, ok := m.interval(r); ok {
		spread = span(i, m.scale)
	}
	return value, spread
}

// present returns the metrics that a row has.
func present(rows []*bench.Row) []metric {
	var all []metric
	for _, m := range metrics {
		for _, r := range rows {
			if m.of(r) != nil {
				all = append(all, m)
				break
			}
		}
	}
	return all
}

// verdict is the result of comparing the spreads of two figures.
type verdict int

const (
	unjudged verdict = iota // no spread to judge by
	within                  // the spreads overlap
	beyond                  // they do not
)

// judge compares the spreads of two rows' figures.
func (m metric) judge(a, b *bench.Row) verdict {
	i, ok := m.interval(a)
	j, known := m.interval(b)
	switch {
	case !ok || !known:
		return unjudged
	case i.Overlaps(j):
		return within
	}
	return beyond
}
