package admin

import (
	"strconv"

	"feedgate/worker/histogram"
)

// document is the answer of /stats:
//
//	{"upstreams": {URL: {
//	    "feedgate_messages_total": 12,              and the like
//	    "feedgate_acks_total": {"0": 11, "1": 1},   by code
//	    "feedgate_ring_depth": {"0": {"in": 3, "out": 0}},  by worker and ring
//	    "feedgate_protocol_errors_total": {"bad_length": 0, ...},  by reason
//	    "feedgate_ack_latency_seconds": {"count": 4, "sum": 0.01,
//	        "p50": 0.0001, "p99": 0.002, "p999": 0.002, "buckets": {"0.0001": 2, ...}},
//	    "waiting_for": "the upstream: everything received is handled",
//	    "stalled": ""   or where messages wait, none of which has become done
//	  }},
//	 "not_ready": ["upstream fg://a:1 is not connected"],   the lines of /ready; empty: it is ready
//	 "sink": {"label": "file:/var/lib/feed.log", "feedgate_sink_messages_total": 11, ...,
//	    "feedgate_retries_total": 0, "feedgate_dead_letters_total": 0},  the sums of the upstreams
//	 "dead_letter": the same, with --dead-letter,
//	 "process": {"feedgate_log_dropped_total": 0, ...}}
//
// URL is the upstream's label. Quantiles are estimated from the buckets; they are null before the
// first observation. Buckets count cumulatively.
type document map[string]any

func newDocument(r Report) document {
	upstreams := make(map[string]any)
	all := r.upstreams()
	for i, label := range labels(all) {
		of := values(upstreamFamilies, all[i].Stats)
		of["waiting_for"] = r.clean(all[i].Stats.Waiting().Words)
		of["stalled"] = r.clean(all[i].Stats.Stalled())
		upstreams[label] = of
	}
	d := document{"upstreams": upstreams, "not_ready": append([]string{}, r.missing()...)}
	for _, s := range r.sinks() {
		of := values(sinkFamilies, s)
		of["label"] = s.Label
		if s.Name == "sink" {
			for _, name := range []string{"feedgate_retries_total", "feedgate_dead_letters_total"} {
				of[name] = sum(upstreams, name)
			}
		}
		d[s.Name] = of
	}
	if r.Process != nil {
		d["process"] = values(processFamilies, r.Process)
	}
	return d
}

// sum returns the sum of a counter of the upstreams.
func sum(upstreams map[string]any, name string) (all uint64) {
	for _, of := range upstreams {
		all += of.(map[string]any)[name].(uint64)
	}
	return all
}

// values returns the values of families by name, and below that by their labels.
func values[T any](families []family[T], from T) map[string]any {
	all := make(map[string]any)
	for i := range families {
		f := &families[i]
		if len(f.labels) > 0 {
			all[f.name] = make(map[string]any)
		}
		f.read(from, func(value any, labels ...string) {
			if s, ok := value.(histogram.Snapshot); ok {
				value = summary(s)
			}
			put(all, append([]string{f.name}, labels...), value)
		})
	}
	return all
}

// put sets a value in nested maps.
func put(in map[string]any, path []string, value any) {
	for _, key := range path[:len(path)-1] {
		below, ok := in[key].(map[string]any)
		if !ok {
			below = make(map[string]any)
			in[key] = below
		}
		in = below
	}
	in[path[len(path)-1]] = value
}

// summary is a histogram in JSON.
func summary(s histogram.Snapshot) map[string]any {
	buckets := make(map[string]any)
	for i, bound := range s.Bounds {
		buckets[strconv.FormatFloat(bound, 'g', -1, 64)] = s.Counts[i]
	}
	all := map[string]any{"count": s.Count, "sum": s.Sum, "buckets": buckets}
	for name, q := range map[string]float64{"p50": 0.5, "p99": 0.99, "p999": 0.999} {
		all[name] = nil
		if v, ok := s.Quantile(q); ok {
			all[name] = v
		}
	}
	return all
}
