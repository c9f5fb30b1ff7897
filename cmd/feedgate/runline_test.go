package main

import (
	"testing"
	"time"

	"feedgate/gateway/admin/view"
)

// TestFit: a live line leaves the last column free, so that the terminal does not wrap it.
func TestFit(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"12 msg/s", 80, "12 msg/s"},
		{"12 msg/s", 8, "12 msg/"},
		{"file:消息", 9, "file:消"},
		{"file:消息", 8, "file:消"},
		{"12 msg/s", 1, ""},
		{"12 msg/s", 0, ""},
		{"", 80, ""},
	} {
		if got := fit(c.text, c.width); got != c.want {
			t.Errorf("%q in %d columns is %q, not %q", c.text, c.width, got, c.want)
		}
	}
}

// TestRunLine: what it waits for comes first, so that a narrow terminal shows it.
func TestRunLine(t *testing.T) {
	for _, c := range []struct{ waitsFor, waiting, want string }{
		{"upstream", "the upstream: everything received is handled", "Keeping up: 5.0 msg/s, 5.0 acked/s, in flight 3 of 100, oldest none, p99 –"},
		{"workers", "the workers: 3 in rings", "Waiting for the workers: 5.0 msg/s, 5.0 acked/s, in flight 3 of 100, oldest none, p99 –; 3 in rings"},
	} {
		at := func(second int64, n float64) *view.Snapshot {
			return view.FromStats(map[string]any{"not_ready": []any{}, "upstreams": map[string]any{"fg://a:1": map[string]any{
				"feedgate_connected": 1.0, "feedgate_waiting_for": map[string]any{c.waitsFor: 1.0}, "waiting_for": c.waiting,
				"feedgate_messages_total": n, "feedgate_acks_total": map[string]any{"0": n},
				"feedgate_in_flight": 3.0, "feedgate_in_flight_limit": 100.0,
			}}}, time.Unix(second, 0))
		}
		if got := runLine(view.New(at(0, 0), at(1, 5))); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
