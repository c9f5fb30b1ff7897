package admin

import (
	"encoding/json"
	"net/http"
	"strings"
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
	for name := range specified {
		if _, ok := metrics[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestStatsAndMetrics: /stats has what /metrics has.
func TestStatsAndMetrics(t *testing.T) {
	server := start(t, whole())
	_, body := get(t, server, "/stats")
	var document map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	var upstreams map[string]map[string]json.RawMessage
	if err := json.Unmarshal(document["upstreams"], &upstreams); err != nil {
		t.Fatal(err)
	}
	var of [2]map[string]json.RawMessage
	for i, key := range []string{"sink", "process"} {
		if err := json.Unmarshal(document[key], &of[i]); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	for name := range scrape(t, server) {
		if !strings.HasPrefix(name, "feedgate_") {
			continue
		}
		found := false
		for _, in := range []map[string]json.RawMessage{upstreams["fg://a:1"], of[0], of[1]} {
			_, has := in[name]
			found = found || has
		}
		if !found {
			t.Errorf("%s is not in /stats", name)
		}
	}
	if got := string(upstreams["fg://b:1"]["waiting_for"]); got != `"the connection"` {
		t.Errorf("waiting for %s", got)
	}
	if got := string(of[0]["label"]); got != `"file:x"` {
		t.Errorf("label %s", got)
	}
	var latency struct{ Count, P50, Buckets any }
	if err := json.Unmarshal(upstreams["fg://a:1"]["feedgate_ack_latency_seconds"], &latency); err != nil {
		t.Fatal(err)
	}
	if latency.Count != 0.0 || latency.P50 != nil || latency.Buckets == nil {
		t.Errorf("latency %+v before the first observation", latency)
	}
}
