package admin

import (
	"net/http"
	"strings"
	"testing"

	"feedgate/gateway"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// specified are the metrics that the contract names, with their labels besides
// upstream.
var specified = map[string]struct {
	kind   string
	labels string
}{
	"feedgate_messages_total":        {"COUNTER", ""},
	"feedgate_read_bytes_total":      {"COUNTER", ""},
	"feedgate_acks_total":            {"COUNTER", "code"},
	"feedgate_in_flight":             {"GAUGE", ""},
	"feedgate_ack_watermark":         {"GAUGE", ""},
	"feedgate_duplicates_total":      {"COUNTER", ""},
	"feedgate_gaps_total":            {"COUNTER", ""},
	"feedgate_reconnects_total":      {"COUNTER", ""},
	"feedgate_connected":             {"GAUGE", ""},
	"feedgate_reads_total":           {"COUNTER", ""},
	"feedgate_flushes_total":         {"COUNTER", ""},
	"feedgate_wakeups_total":         {"COUNTER", ""},
	"feedgate_ring_depth":            {"GAUGE", "ring worker"},
	"feedgate_ack_latency_seconds":   {"HISTOGRAM", ""},
	"feedgate_protocol_errors_total": {"COUNTER", "reason"},
}

// fake is a source whose every value differs.
func fake(label string) source {
	s := snapshot{
		values: make([]uint64, len(counters)),
		acks:   map[uint16]uint64{0: 1000, 1: 1001, 1234: 1002},
		errors: map[string]uint64{"bad_length": 2000, "ws": 2001},
		rings:  []ringDepth{{0, "in", 30}, {0, "out", 31}, {1, "in", 32}, {1, "out", 33}},
		latency: latency{
			count:   10,
			sum:     1.5,
			buckets: map[float64]uint64{0.001: 4, 0.01: 9, 0.1: 9},
		},
	}
	for i := range s.values {
		s.values[i] = uint64(i + 1)
	}
	return source{label, func() snapshot { return s }}
}

// fixed is a list of upstreams that does not change.
func fixed[T any](all ...T) func() []T { return func() []T { return all } }

func TestCollectorLints(t *testing.T) {
	problems, err := testutil.CollectAndLint(newCollector(fixed(fake("fg://a:1"), fake("fg://b:1"))))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestFirstScrape scrapes an upstream without events.
func TestFirstScrape(t *testing.T) {
	server := start(t, Report{Upstreams: fixed(Upstream{Label: "fg://a:1", Stats: new(gateway.Stats)})})
	families := scrape(t, server)

	for name, want := range specified {
		family, ok := families[name]
		if !ok {
			// Rings exist once a gateway has made them.
			if name != "feedgate_ring_depth" {
				t.Errorf("%s is missing", name)
			}
			continue
		}
		if family.kind != want.kind {
			t.Errorf("%s is a %s, not a %s", name, family.kind, want.kind)
		}
		for _, labels := range family.labels {
			if got := labels["upstream"]; got != "fg://a:1" {
				t.Errorf("%s has upstream %q", name, got)
			}
		}
	}
	for name := range families {
		if _, ok := specified[name]; !ok && strings.HasPrefix(name, "feedgate_") {
			t.Errorf("%s is not in the contract", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds"} {
		if _, ok := families[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}

	var reasons []string
	for i, labels := range families["feedgate_protocol_errors_total"].labels {
		if n := families["feedgate_protocol_errors_total"].counts[i]; n != 0 {
			t.Errorf("%v is %v, not 0", labels, n)
		}
		reasons = append(reasons, labels["reason"])
	}
	const want = "bad_flags bad_json bad_length bad_utf8 login parts seq_back tls too_large truncated unexpected_op unknown_op ws"
	if got := strings.Join(reasons, " "); got != want {
		t.Errorf("reasons %s, not %s", got, want)
	}
}

func TestCollector(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newCollector(fixed(fake("fg://a:1"), fake("fg://b:1"))))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != len(specified) {
		t.Errorf("%d metrics, not %d", len(families), len(specified))
	}
	for _, family := range families {
		want := specified[family.GetName()]
		for _, metric := range family.Metric {
			var names []string
			for _, pair := range metric.Label {
				if pair.GetName() != "upstream" {
					names = append(names, pair.GetName())
				}
			}
			if got := strings.Join(names, " "); got != want.labels {
				t.Errorf("%s has labels %q, not %q", family.GetName(), got, want.labels)
			}
		}
	}

	const expected = `
# HELP feedgate_acks_total Acknowledgements sent, by code: 0 means success, others are reasons for a refusal.
# TYPE feedgate_acks_total counter
feedgate_acks_total{code="0",upstream="fg://a:1"} 1000
feedgate_acks_total{code="1",upstream="fg://a:1"} 1001
feedgate_acks_total{code="1234",upstream="fg://a:1"} 1002
# HELP feedgate_ring_depth Entries in a worker's rings: in to the worker, out back from it.
# TYPE feedgate_ring_depth gauge
feedgate_ring_depth{ring="in",upstream="fg://a:1",worker="0"} 30
feedgate_ring_depth{ring="out",upstream="fg://a:1",worker="0"} 31
feedgate_ring_depth{ring="in",upstream="fg://a:1",worker="1"} 32
feedgate_ring_depth{ring="out",upstream="fg://a:1",worker="1"} 33
# HELP feedgate_ack_latency_seconds Time from read to ack sent, one observation per read batch.
# TYPE feedgate_ack_latency_seconds histogram
feedgate_ack_latency_seconds_bucket{upstream="fg://a:1",le="0.001"} 4
feedgate_ack_latency_seconds_bucket{upstream="fg://a:1",le="0.01"} 9
feedgate_ack_latency_seconds_bucket{upstream="fg://a:1",le="0.1"} 9
feedgate_ack_latency_seconds_bucket{upstream="fg://a:1",le="+Inf"} 10
feedgate_ack_latency_seconds_sum{upstream="fg://a:1"} 1.5
feedgate_ack_latency_seconds_count{upstream="fg://a:1"} 10
`
	err = testutil.CollectAndCompare(newCollector(fixed(fake("fg://a:1"))), strings.NewReader(expected),
		"feedgate_acks_total", "feedgate_ring_depth", "feedgate_ack_latency_seconds")
	if err != nil {
		t.Error(err)
	}
}

// family is one metric of a scrape: a set of labels per series, and the value of a counter.
type family struct {
	kind   string
	labels []map[string]string
	counts []float64
}

func scrape(t *testing.T, server *Server) map[string]family {
	t.Helper()
	status, body := get(t, server, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	families := make(map[string]family)
	for name, from := range parsed {
		to := family{kind: from.GetType().String()}
		for _, metric := range from.Metric {
			labels := make(map[string]string)
			for _, pair := range metric.Label {
				labels[pair.GetName()] = pair.GetValue()
			}
			to.labels = append(to.labels, labels)
			to.counts = append(to.counts, metric.GetCounter().GetValue())
		}
		families[name] = to
	}
	return families
}
