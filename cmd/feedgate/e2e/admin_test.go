package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestReadyReportsTheConnection(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	p := run(t, s.url())
	c := s.accept()
	c.hello()
	eventually(t, "/ping answers 200", func() bool {
		status, _ := p.get("/ping")
		return status == http.StatusOK
	})
	// Connected, but not logged in.
	status, body := p.get("/ready")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, s.ln.Addr().String()) {
		t.Errorf("/ready before WELCOME: %d %q, want 503 naming the upstream", status, body)
	}
	c.send(frame{op: opWelcome, seq: 1, payload: []byte("{}")})
	ready := func(want int) {
		t.Helper()
		eventually(t, "/ready answers "+http.StatusText(want), func() bool {
			status, _ := p.get("/ready")
			return status == want
		})
	}
	ready(http.StatusOK)
	c.close()
	c = s.accept()
	ready(http.StatusServiceUnavailable)
	c.welcome(1, "{}")
	ready(http.StatusOK)
	if status, _ := p.get("/nothing-here"); status != http.StatusNotFound {
		t.Errorf("an unknown page: %d", status)
	}
	p.stop(c)
}

// metricNames are the metrics of the contract, with their values after TestMetrics, or -1 if the value
// is not defined.
var metricNames = map[string]float64{
	"feedgate_messages_total":            3,
	"feedgate_read_bytes_total":          -1,
	"feedgate_acks_total":                4,
	"feedgate_in_flight":                 0,
	"feedgate_ack_watermark":             5,
	"feedgate_duplicates_total":          0,
	"feedgate_gaps_total":                1,
	"feedgate_reconnects_total":          0,
	"feedgate_connected":                 1,
	"feedgate_reads_total":               -1,
	"feedgate_flushes_total":             -1,
	"feedgate_wakeups_total":             -1,
	"feedgate_ring_depth":                -1,
	"feedgate_ack_latency_seconds_count": -1,
	"feedgate_ack_latency_seconds_sum":   -1,
	"feedgate_protocol_errors_total":     0,
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, s, c := connectFG(t, "{}", "--workers=2", "--max-message=1KiB", "--memory=64KiB", kids.sink(t))
	c.send(data(1, "one"), data(3, "code=1001"), data(4, strings.Repeat("x", 2000)), data(5, "five"))
	c.acks(4)
	p.waitMetric(4, "feedgate_acks_total")
	samples := p.scrape()
	for name, want := range metricNames {
		sum, there := 0.0, false
		for _, m := range samples {
			if m.name != name {
				continue
			}
			sum, there = sum+m.value, true
			if m.labels["upstream"] != s.url() {
				t.Errorf("%s has upstream %q, want %q", name, m.labels["upstream"], s.url())
			}
		}
		if !there && name != "feedgate_protocol_errors_total" {
			t.Errorf("%s is missing", name)
		}
		if want >= 0 && sum != want {
			t.Errorf("%s is %v, want %v", name, sum, want)
		}
	}
	for code, want := range map[string]float64{"0": 2, "1001": 1, "3": 1} {
		if n := p.metric("feedgate_acks_total", "code", code); n != want {
			t.Errorf("feedgate_acks_total{code=%q} is %v, want %v", code, n, want)
		}
	}
	rings := map[string]bool{}
	for _, m := range samples {
		if m.name == "feedgate_ring_depth" {
			rings[m.labels["worker"]+"/"+m.labels["ring"]] = true
		}
	}
	if len(rings) < 4 {
		t.Errorf("rings %v of 2 workers, want two of each", rings)
	}
	p.stop(c)
}

func TestStatsHaveTheMetrics(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, "{}")
	c.send(data(1, "one"), data(2, "two"))
	c.acked(1, 2)
	p.waitMetric(2, "feedgate_acks_total")
	status, body := p.get("/stats")
	var stats struct {
		Upstreams map[string]map[string]any `json:"upstreams"`
	}
	if err := json.Unmarshal([]byte(body), &stats); status != http.StatusOK || err != nil {
		t.Fatalf("/stats: %d, %v: %s", status, err, body)
	}
	upstream := stats.Upstreams[s.url()]
	for name, want := range map[string]float64{
		"feedgate_messages_total": 2, "feedgate_connected": 1, "feedgate_in_flight": 0, "feedgate_ack_watermark": 2,
	} {
		if got, number := upstream[name].(float64); !number || got != want {
			t.Errorf("%s is %v, want %v, in %s", name, upstream[name], want, body)
		}
	}
	p.stop(c)
}

func TestAdminAddressInUseIsAnError(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	got := command(t, nil, "run", "fg://127.0.0.1:1", "--sink=discard:", "--admin="+ln.Addr().String())
	if got.status != 1 || !strings.Contains(got.stderr, ln.Addr().String()) {
		t.Errorf("status %d, %q; want 1 and the address", got.status, got.stderr)
	}
}

func TestEmptyAdminAddressDisablesIt(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	p := run(t, s.url(), "--admin=")
	c := s.accept()
	c.welcome(1, "{}")
	if status, body := p.get("/ping"); status != 0 {
		t.Errorf("%d %q", status, body)
	}
	p.stop(c)
}
