package report

import "feedgate/bench"

// metric defines how a figure of rows is shown.
type metric struct {
	name  string // in JSON, for [bench.Row.Metric]
	head  string // of its column; %s is the unit
	means string // what it is, for the page
	units *units // nil: always the same one
	// For charts:
	title string
	axis  string // of values that have their units
	// For text tables:
	spread bool // its column shows the spread
	block  int  // of a table that is too wide
	// better is 1 if more is better, -1 if less is.
	better int
}

var (
	rate = metric{name: "msgs_per_s", head: "%s", units: rates, title: "Throughput", axis: "msg/s", spread: true, better: 1,
		means: "messages per second, from the first message sent to the last ack received"}
	clientCPU = metric{name: "cpu_ns_per_msg", head: "client CPU %s/msg", units: cpuTimes, title: "Processor time of the client per message",
		axis: "client CPU per msg", spread: true, better: -1,
		means: "processor time of the subject's process per message: all its threads, user and system"}
	p99 = metric{name: "p99_us", head: "p99 %s", units: latencies, spread: true, block: 1, better: -1,
		means: "99 of 100 messages were acked within this time"}
)

// metrics are the columns of a table.
var metrics = []metric{
	rate,
	{name: "of_limit", head: "of limit", spread: true, better: 1,
		means: "a ratio: in each round, the subject's messages per second divided by those of limit in the same round; the figure is the median of these ratios, so it is not the quotient of the two medians in the table. 1 is as fast as limit; above 1, the bottleneck was the feed and not the client"},
	clientCPU,
	{name: "feed_cpu_ns_per_msg", head: "feed CPU %s/msg", units: cpuTimes, spread: true, better: -1,
		means: "the same of the process that sends the messages and checks the acks"},
	{name: "allocs_per_msg", head: "allocs/msg", better: -1,
		means: "objects allocated on the heap per message"},
	{name: "syscalls_per_msg", head: "syscalls/msg", better: -1,
		means: "system calls per message, counted in the warm-up only"},
	{name: "rss_mb", head: "RSS MiB", better: -1,
		means: "the most memory the process had resident"},
	{name: "p50_us", head: "p50 %s", units: latencies, spread: true, block: 1, better: -1,
		means: "half of the messages were acked within this time: from when a message was due if a rate was offered, else from when it was sent, to the arrival of its ack"},
	p99,
	{name: "p999_us", head: "p99.9 %s", units: latencies, spread: true, block: 1, better: -1,
		means: "999 of 1,000 messages were acked within this time"},
	{name: "max_us", head: "max %s", units: latencies, spread: true, block: 1, better: -1,
		means: "the longest time from a message to its ack"},
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
