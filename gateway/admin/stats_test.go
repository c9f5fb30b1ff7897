package admin

import (
	"encoding/json"
	"net/http"
	"testing"

	"feedgate/gateway"
)

// TestStatsCounters checks that each field of the gateway's counters is exported under its own
// name.
func TestStatsCounters(t *testing.T) {
	var stats gateway.Stats
	stats.Messages.Store(1)
	stats.ReadBytes.Store(2)
	stats.InFlight.Store(3)
	stats.Watermark.Store(1<<63 + 1) // JSON keeps what a float64 cannot
	stats.Duplicates.Store(5)
	stats.Gaps.Store(6)
	stats.Reconnects.Store(7)
	stats.Connected.Store(true)
	stats.Reads.Store(9)
	stats.Flushes.Store(10)
	stats.Wakeups.Store(11)

	server := start(t, Report{Upstreams: fixed(Upstream{Label: "ws://h:1/p", Stats: &stats})})
	status, body := get(t, server, "/stats")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	var document struct {
		Upstreams map[string]map[string]json.RawMessage `json:"upstreams"`
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	metrics := document.Upstreams["ws://h:1/p"]
	for name, want := range map[string]string{
		"feedgate_messages_total":   "1",
		"feedgate_read_bytes_total": "2",
		"feedgate_in_flight":        "3",
		"feedgate_ack_watermark":    "9223372036854775809",
		"feedgate_duplicates_total": "5",
		"feedgate_gaps_total":       "6",
		"feedgate_reconnects_total": "7",
		"feedgate_connected":        "1",
		"feedgate_reads_total":      "9",
		"feedgate_flushes_total":    "10",
		"feedgate_wakeups_total":    "11",
	} {
		if got := string(metrics[name]); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
	if len(metrics) != len(specified) {
		t.Errorf("%d metrics, not %d", len(metrics), len(specified))
	}
}

func TestStatsLabelled(t *testing.T) {
	body, err := json.Marshal(newDocument([]source{fake("fg://a:1")}))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Upstreams map[string]struct {
			Acks    map[string]uint64         `json:"feedgate_acks_total"`
			Rings   map[string]map[string]int `json:"feedgate_ring_depth"`
			Errors  map[string]uint64         `json:"feedgate_protocol_errors_total"`
			Latency struct {
				Count   uint64
				Sum     float64
				P50     *float64
				P99     *float64
				Buckets map[string]uint64
			} `json:"feedgate_ack_latency_seconds"`
		}
	}
	if err := json.Unmarshal(body, &document); err != nil {
		t.Fatal(err)
	}
	got := document.Upstreams["fg://a:1"]
	if got.Acks["1234"] != 1002 || got.Rings["1"]["out"] != 33 || got.Errors["ws"] != 2001 {
		t.Errorf("wrong values in %s", body)
	}
	l := got.Latency
	if l.Count != 10 || l.Sum != 1.5 || l.Buckets["0.01"] != 9 || l.P50 == nil || l.P99 == nil {
		t.Errorf("wrong latency in %s", body)
	}
}

func TestQuantile(t *testing.T) {
	some := latency{count: 10, buckets: map[float64]uint64{1: 4, 2: 8, 4: 8, 8: 9}}
	for _, c := range []struct {
		l    latency
		q    float64
		want any
	}{
		{latency{}, 0.5, nil},
		{some, 0.2, 0.5}, // half of the first bucket
		{some, 0.4, 1.0},
		{some, 0.5, 1.25},
		{some, 0.85, 6.0}, // past an empty bucket
		{some, 0.99, 8.0}, // beyond all bounds
	} {
		if got := c.l.quantile(c.q); got != c.want {
			t.Errorf("quantile %v is %v, not %v", c.q, got, c.want)
		}
	}
}
