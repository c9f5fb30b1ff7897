package admin

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"feedgate/worker/histogram"
)

// collector exports a report to Prometheus. The gateways keep their counters as plain atomics, which
// cost the loop next to nothing; metrics are made only when scraped. It implements
// [prometheus.Collector].
type collector struct {
	report Report

	upstreams, sinks, process []*prometheus.Desc // in the order of the families
}

func newCollector(r Report) *collector {
	c := &collector{report: r, upstreams: describe(upstreamFamilies, "upstream")}
	if r.Sinks != nil {
		c.sinks = describe(sinkFamilies, "sink")
	}
	if r.Process != nil {
		c.process = describe(processFamilies)
	}
	return c
}

// describe returns the descriptions of families whose metrics have the label of, and their own.
func describe[T any](all []family[T], of ...string) (descs []*prometheus.Desc) {
	for i := range all {
		labels := append(append([]string(nil), of...), all[i].labels...)
		descs = append(descs, prometheus.NewDesc(all[i].name, all[i].help, labels, nil))
	}
	return descs
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, descs := range [][]*prometheus.Desc{c.upstreams, c.sinks, c.process} {
		for _, desc := range descs {
			out <- desc
		}
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(out chan<- prometheus.Metric) {
	upstreams := c.report.upstreams()
	for i, label := range labels(upstreams) {
		collect(out, upstreamFamilies, c.upstreams, upstreams[i].Stats, label)
	}
	for _, sink := range c.report.sinks() {
		collect(out, sinkFamilies, c.sinks, sink, sink.Name)
	}
	if c.report.Process != nil {
		collect(out, processFamilies, c.process, c.report.Process)
	}
}

// collect reads the families from one thing, whose metrics have these labels first.
func collect[T any](out chan<- prometheus.Metric, all []family[T], descs []*prometheus.Desc, from T, first ...string) {
	for i := range all {
		all[i].read(from, func(value any, labels ...string) {
			labels = append(append([]string(nil), first...), labels...)
			out <- metric(descs[i], all[i].kind, value, labels)
		})
	}
}

func metric(desc *prometheus.Desc, k kind, value any, labels []string) prometheus.Metric {
	kind := prometheus.CounterValue
	if k == gauge {
		kind = prometheus.GaugeValue
	}
	switch v := value.(type) {
	case uint64:
		return prometheus.MustNewConstMetric(desc, kind, float64(v), labels...)
	case histogram.Snapshot:
		buckets := make(map[float64]uint64, len(v.Bounds))
		for i, bound := range v.Bounds {
			buckets[bound] = v.Counts[i]
		}
		return prometheus.MustNewConstHistogram(desc, v.Count, v.Sum, buckets, labels...)
	}
	return prometheus.MustNewConstMetric(desc, kind, value.(float64), labels...)
}

// newRegistry makes a registry with the metrics of the report, the process and the Go runtime.
func newRegistry(r Report) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(r),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}
