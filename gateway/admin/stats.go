package admin

import (
	"maps"
	"slices"
	"strconv"
)

// document is the answer of /stats:
//
//	{"upstreams": {URL: {
//	    "feedgate_messages_total": 12,              and the like
//	    "feedgate_acks_total": {"0": 11, "1": 1},   by code
//	    "feedgate_ring_depth": {"0": {"in": 3, "out": 0}},  by worker and ring
//	    "feedgate_protocol_errors_total": {"bad_length": 0, ...},  by reason
//	    "feedgate_ack_latency_seconds": {"count": 4, "sum": 0.01,
//	        "p50": 0.0001, "p99": 0.002, "p999": 0.002, "buckets": {"0.0001": 2, ...}}
//	}}}
//
// URL is the upstream's label. Quantiles are estimated from the buckets; they are null before the
// first observation. Buckets count cumulatively.
type document struct {
	Upstreams map[string]map[string]any `json:"upstreams"`
}

func newDocument(upstreams []source) document {
	d := document{make(map[string]map[string]any)}
	for _, upstream := range upstreams {
		d.Upstreams[upstream.label] = upstream.read().metrics()
	}
	return d
}

// metrics returns the values by the names of the metrics.
func (s snapshot) metrics() map[string]any {
	all := make(map[string]any)
	for i, value := range s.values {
		all[counters[i].name] = value
	}
	rings := make(map[string]map[string]int)
	for _, r := range s.rings {
		worker := strconv.Itoa(r.worker)
		if rings[worker] == nil {
			rings[worker] = make(map[string]int)
		}
		rings[worker][r.ring] = r.depth
	}
	all[acksName] = s.acks
	all[ringName] = rings
	all[errorsName] = s.errors
	all[latencyName] = s.latency.metrics()
	return all
}

func (l latency) metrics() map[string]any {
	buckets := make(map[string]uint64)
	for bound, n := range l.buckets {
		buckets[strconv.FormatFloat(bound, 'g', -1, 64)] = n
	}
	return map[string]any{
		"count":   l.count,
		"sum":     l.sum,
		"p50":     l.quantile(0.50),
		"p99":     l.quantile(0.99),
		"p999":    l.quantile(0.999),
		"buckets": buckets,
	}
}

// quantile estimates the q-quantile in seconds as Prometheus's histogram_quantile does: by linear
// interpolation within its bucket; beyond the last bucket, it is the highest bound. It is nil
// without observations.
func (l latency) quantile(q float64) any {
	if l.count == 0 {
		return nil
	}
	rank := q * float64(l.count)
	low, below := 0.0, uint64(0)
	for _, bound := range slices.Sorted(maps.Keys(l.buckets)) {
		n := l.buckets[bound]
		if n > below && float64(n) >= rank {
			return low + (bound-low)*(rank-float64(below))/float64(n-below)
		}
		low, below = bound, n
	}
	return low
}
