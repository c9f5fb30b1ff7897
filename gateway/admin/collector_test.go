package admin

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"feedgate/gateway"
	"feedgate/worker/histogram"
	"feedgate/worker/sink"

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

	"feedgate_refused_total":          {"COUNTER", ""},
	"feedgate_dead_letters_total":     {"COUNTER", ""},
	"feedgate_retries_total":          {"COUNTER", ""},
	"feedgate_dropped_total":          {"COUNTER", ""},
	"feedgate_handler_panics_total":   {"COUNTER", ""},
	"feedgate_in_flight_limit":        {"GAUGE", ""},
	"feedgate_oldest_unacked_seconds": {"GAUGE", ""},
	"feedgate_memory_bytes":           {"GAUGE", ""},
	"feedgate_memory_limit_bytes":     {"GAUGE", ""},
	"feedgate_unsent_ack_bytes":       {"GAUGE", ""},
	"feedgate_unsent_ack_limit_bytes": {"GAUGE", ""},
	"feedgate_workers":                {"GAUGE", ""},
	"feedgate_ring_limit":             {"GAUGE", ""},
	"feedgate_stopped_seconds_total":  {"COUNTER", "why"},
	"feedgate_waiting_for":            {"GAUGE", "for"},
	"feedgate_handler_seconds":        {"HISTOGRAM", ""},
}

// fixed is a list of upstreams that does not change.
func fixed[T any](all ...T) func() []T { return func() []T { return all } }

// whole reports two upstreams, a sink and a process.
func whole() Report {
	return Report{
		Upstreams: fixed(Upstream{"fg://a:1", new(gateway.Stats)}, Upstream{"fg://b:1", new(gateway.Stats)}),
		Sinks:     fixed(Sink{"sink", "file:x", new(sink.Stats), func() error { return nil }}),
		Process:   &Process{Version: "1.2.3", Revision: "abc", GoVersion: "go1", LogDropped: func() uint64 { return 3 }},
	}
}

func TestCollectorLints(t *testing.T) {
	problems, err := testutil.CollectAndLint(newCollector(whole()))
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
			// Rings exist once a gateway runs.
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

// TestCollect: values and labels of each kind of family.
func TestCollect(t *testing.T) {
	var sizes histogram.Sizes
	sizes.Observe(3)
	families := []family[int]{
		number("a_total", "A.", counter, func(n int) uint64 { return uint64(n) }),
		gaugeOf("b_seconds", "B.", func(n int) float64 { return float64(n) / 2 }),
		{"c", "C.", gauge, []string{"x", "y"}, func(n int, emit emit) { emit(uint64(n), "1", "in"); emit(uint64(n+1), "1", "out") }},
		distribution("d_messages", "D.", func(int) histogram.Snapshot { return sizes.Snapshot() }),
	}
	const want = `
# HELP a_total A.
# TYPE a_total counter
a_total{of="it"} 7
# HELP b_seconds B.
# TYPE b_seconds gauge
b_seconds{of="it"} 3.5
# HELP c C.
# TYPE c gauge
c{of="it",x="1",y="in"} 7
c{of="it",x="1",y="out"} 8
# HELP d_messages D.
# TYPE d_messages histogram
d_messages_bucket{of="it",le="1"} 0
d_messages_bucket{of="it",le="2"} 0
d_messages_bucket{of="it",le="4"} 1
`
	err := testutil.CollectAndCompare(fakeCollector{families}, strings.NewReader(want+restOfBuckets))
	if err != nil {
		t.Error(err)
	}
	if v := values(families, 7); v["a_total"] != uint64(7) || v["b_seconds"] != 3.5 ||
		!reflect.DeepEqual(v["c"], map[string]any{"1": map[string]any{"in": uint64(7), "out": uint64(8)}}) {
		t.Errorf("values %v", v)
	}
}

// fakeCollector collects families of 7.
type fakeCollector struct{ families []family[int] }

func (c fakeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range describe(c.families, "of") {
		out <- desc
	}
}

func (c fakeCollector) Collect(out chan<- prometheus.Metric) {
	collect(out, c.families, describe(c.families, "of"), 7, "it")
}

// restOfBuckets are the buckets of a histogram of one size, 3, from 8 on.
var restOfBuckets = func() string {
	var b strings.Builder
	for bound := 8; bound <= 1<<16; bound *= 2 {
		fmt.Fprintf(&b, "d_messages_bucket{of=\"it\",le=\"%d\"} 1\n", bound)
	}
	b.WriteString("d_messages_bucket{of=\"it\",le=\"+Inf\"} 1\nd_messages_sum{of=\"it\"} 3\nd_messages_count{of=\"it\"} 1\n")
	return b.String()
}()

func gaugeOf(name, help string, read func(int) float64) family[int] {
	return seconds(name, help, gauge, read)
}

// scraped is one metric of a scrape: a set of labels per series, and the value of a counter.
type scraped struct {
	kind   string
	labels []map[string]string
	counts []float64
}

func scrape(t *testing.T, server *Server) map[string]scraped {
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
	families := make(map[string]scraped)
	for name, from := range parsed {
		to := scraped{kind: from.GetType().String()}
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
