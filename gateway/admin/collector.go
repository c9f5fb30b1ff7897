package admin

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// collector exports the upstreams' counters to Prometheus. The gateways keep them as plain
// atomics, which cost the loop next to nothing; metrics are made only when scraped. It implements
// [prometheus.Collector].
type collector struct {
	upstreams func() []source
	counters  []*prometheus.Desc // in the order of the list counters
	acks      *prometheus.Desc
	ring      *prometheus.Desc
	latency   *prometheus.Desc
	errors    *prometheus.Desc
}

// source is where an upstream's counters are read.
type source struct {
	label string
	read  func() snapshot
}

// sources returns the sources of the upstreams, with unique labels.
func sources(upstreams []Upstream) []source {
	all := make([]source, len(upstreams))
	for i, label := range labels(upstreams) {
		stats := upstreams[i].Stats
		all[i] = source{label, func() snapshot { return read(stats) }}
	}
	return all
}

func newCollector(upstreams func() []source) *collector {
	c := &collector{
		upstreams: upstreams,
		acks:      describe(acksName, acksHelp, "code"),
		ring:      describe(ringName, ringHelp, "worker", "ring"),
		latency:   describe(latencyName, latencyHelp),
		errors:    describe(errorsName, errorsHelp, "reason"),
	}
	for _, counter := range counters {
		c.counters = append(c.counters, describe(counter.name, counter.help))
	}
	return c
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"upstream"}, labels...), nil)
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range c.counters {
		out <- desc
	}
	for _, desc := range []*prometheus.Desc{c.acks, c.ring, c.latency, c.errors} {
		out <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for _, upstream := range c.upstreams() {
		c.collect(out, upstream.label, upstream.read())
	}
}

func (c *collector) collect(out chan<- prometheus.Metric, label string, s snapshot) {
	number := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, kind, value, append([]string{label}, labels...)...)
	}
	for i, value := range s.values {
		kind := prometheus.CounterValue
		if counters[i].gauge {
			kind = prometheus.GaugeValue
		}
		number(c.counters[i], kind, float64(value))
	}
	for code, n := range s.acks {
		number(c.acks, prometheus.CounterValue, float64(n), strconv.Itoa(int(code)))
	}
	for _, r := range s.rings {
		number(c.ring, prometheus.GaugeValue, float64(r.depth), strconv.Itoa(r.worker), r.ring)
	}
	for reason, n := range s.errors {
		number(c.errors, prometheus.CounterValue, float64(n), reason)
	}
	out <- prometheus.MustNewConstHistogram(c.latency, s.latency.count, s.latency.sum, s.latency.buckets, label)
}

// newRegistry makes a registry with the metrics of the upstreams and of the process.
func newRegistry(upstreams func() []source) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(upstreams),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}
