package view

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// doc is an answer of /stats with one upstream, changed by changes to it.
func doc(label string, upstream map[string]any) map[string]any {
	return map[string]any{"upstreams": map[string]any{label: upstream}, "not_ready": []any{}}
}

var start = time.Unix(1000, 0)

// after decodes an answer as encoding/json does, taken some seconds after start.
func after(t *testing.T, seconds float64, doc map[string]any) *Snapshot {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	return FromStats(decoded, start.Add(time.Duration(seconds*1e9)))
}

func observed(count, sum float64, buckets map[string]any) map[string]any {
	return map[string]any{"count": count, "sum": sum, "buckets": buckets}
}

const label = "fg://a:1"

func TestRatesSharesAndQuantilesAreThoseBetweenTheSnapshots(t *testing.T) {
	before := after(t, 0, doc(label, map[string]any{
		"feedgate_messages_total": 1000, "feedgate_read_bytes_total": 5000, "feedgate_acks_total": map[string]any{"0": 900, "7": 1},
		"feedgate_ack_latency_seconds":   observed(100, 1, map[string]any{"0.001": 100, "0.002": 100}),
		"feedgate_stopped_seconds_total": map[string]any{"window": 7, "ring": 1, "sink": 3},
		"feedgate_protocol_errors_total": map[string]any{"bad_json": 2, "ws": 0},
	}))
	now := after(t, 2, doc(label, map[string]any{
		"feedgate_messages_total": 3000, "feedgate_read_bytes_total": 9000, "feedgate_acks_total": map[string]any{"0": 1900, "7": 5},
		"feedgate_ack_latency_seconds":   observed(200, 2, map[string]any{"0.001": 100, "0.002": 200}),
		"feedgate_stopped_seconds_total": map[string]any{"window": 7.5, "ring": 2.98, "sink": 3},
		"feedgate_protocol_errors_total": map[string]any{"bad_json": 5, "ws": 0},
		"feedgate_in_flight":             50, "feedgate_in_flight_limit": 200, "feedgate_oldest_unacked_seconds": 1.5,
		"feedgate_ring_depth":  map[string]any{"10": map[string]any{"in": 3, "out": 1}, "9": map[string]any{"in": 1, "out": 0}},
		"feedgate_ring_limit":  8,
		"feedgate_connected":   1,
		"feedgate_waiting_for": map[string]any{"upstream": 0, "workers": 1},
		"waiting_for":          "the workers: 3 in rings",
	}))
	v := New(before, now)
	if len(v.Upstreams) != 1 {
		t.Fatalf("%d upstreams", len(v.Upstreams))
	}
	u := v.Upstreams[0]
	for what, got := range map[string][2]string{
		"incoming": {u.Incoming.String(), "1,000"}, "acked": {u.Acked.String(), "502"}, "bytes": {u.Bytes.String(), "2,000"},
		"all incoming": {v.Incoming.String(), "1,000"}, "over": {v.Over.String(), "2 s"},
		"p50": {u.P50.String(), "1.50 ms"}, "p99 of all": {v.P99.String(), "1.99 ms"},
		"handler": {u.HandlerP50.String(), "–"}, "oldest": {u.Oldest.String(), "1.50 s"},
		"in flight": {u.InFlight.Percent(), "25.0"}, "waits": {u.What(), "workers"},
		"short": {v.Short(), "Waiting for the workers"}, "detail": {v.Detail(), "3 in rings"},
		"title": {v.Title(), "▲ 1,000/s: feedgate"}, "level": {string(v.Level()), "busy"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %q, want %q", what, got[0], got[1])
		}
	}
	if len(u.Stopped) != 2 || u.Stopped[0] != (Stopped{"ring", 0.99}) || u.Stopped[1] != (Stopped{"window", 0.25}) {
		t.Errorf("stopped: %v", u.Stopped)
	}
	if len(u.Errors) != 1 || u.Errors[0] != (Event{"bad_json", 5, 3}) {
		t.Errorf("errors: %v", u.Errors)
	}
	if len(u.Events) != 1 || u.Events[0] != (Event{"acks with code 7", 5, 4}) {
		t.Errorf("events: %v", u.Events)
	}
	if len(u.Rings) != 2 || u.Rings[0] != (Ring{9, 1, 0}) || u.Rings[1] != (Ring{10, 3, 1}) {
		t.Errorf("rings: %v", u.Rings)
	}
}

// TestWithoutAnEarlierSnapshotRatesAreUnknown: also if no time has passed, or the clock went back.
func TestWithoutAnEarlierSnapshotRatesAreUnknown(t *testing.T) {
	of := map[string]any{
		"feedgate_messages_total": 1000, "feedgate_stopped_seconds_total": map[string]any{"ring": 5},
		"feedgate_ack_latency_seconds":   observed(1, 1, map[string]any{"1": 1}),
		"feedgate_protocol_errors_total": map[string]any{"ws": 3},
	}
	now := after(t, 5, doc(label, of))
	for name, before := range map[string]*Snapshot{"none": nil, "same time": after(t, 5, doc(label, of)), "later": after(t, 6, doc(label, of))} {
		v := New(before, now)
		u := v.Upstreams[0]
		if u.Incoming.String() != "–" || u.Incoming.Plot() != "" || u.P99.String() != "–" || len(u.Stopped) > 0 || !math.IsNaN(float64(v.Over)) {
			t.Errorf("%s: incoming %s, p99 %s, stopped %v, over %v", name, u.Incoming, u.P99, u.Stopped, v.Over)
		}
		if len(u.Errors) != 1 || u.Errors[0] != (Event{"ws", 3, 0}) {
			t.Errorf("%s: errors %v", name, u.Errors)
		}
	}
}

// TestCountersThatRestart: what a new process or gateway has counted happened since the last snapshot.
func TestCountersThatRestart(t *testing.T) {
	before := after(t, 0, doc(label, map[string]any{
		"feedgate_messages_total": 5000, "feedgate_acks_total": map[string]any{"0": 5},
		"feedgate_ack_latency_seconds":   observed(100, 1, map[string]any{"1": 50, "2": 100}),
		"feedgate_stopped_seconds_total": map[string]any{"ring": 1},
	}))
	now := after(t, 1, doc(label, map[string]any{
		"feedgate_messages_total": 20, "feedgate_acks_total": map[string]any{"0": 10},
		"feedgate_ack_latency_seconds":   observed(3, 1, map[string]any{"1": 3, "2": 3}),
		"feedgate_stopped_seconds_total": map[string]any{"ring": 1.5},
	}))
	u := New(before, now).Upstreams[0]
	if u.Incoming != 20 || u.Acked != 10 || u.P50 != 0.5 || u.Stopped[0].Share != 1 {
		t.Errorf("incoming %v, acked %v, p50 %v, stopped %v", u.Incoming, u.Acked, u.P50, u.Stopped)
	}
}

func TestUpstreamsAppearAndVanish(t *testing.T) {
	one := map[string]any{"feedgate_messages_total": 10, "feedgate_connected": 1, "waiting_for": "the upstream: it has sent nothing"}
	before := after(t, 0, map[string]any{"upstreams": map[string]any{"a": one, "b": one}})
	now := after(t, 2, map[string]any{"upstreams": map[string]any{"c": one, "b": one}, "not_ready": []any{}})
	v := New(before, now)
	if len(v.Upstreams) != 2 || v.Upstreams[0].Label != "b" || v.Upstreams[0].Incoming != 0 || v.Upstreams[1].Incoming != 5 {
		t.Errorf("%+v", v.Upstreams)
	}
	if v.Short() != "2 upstreams: 2 keeping up" || v.Detail() != "" || v.Level() != Well {
		t.Errorf("%q, %q, %s", v.Short(), v.Detail(), v.Level())
	}
	none := New(now, after(t, 3, map[string]any{"upstreams": map[string]any{}, "not_ready": []any{"t/c: no nsqd has topic t"}}))
	if len(none.Upstreams) != 0 || none.Incoming != 0 || none.Short() != "There is no upstream yet" || none.Level() != Fault {
		t.Errorf("%+v", none)
	}
	if none.Title() != "■ not ready: feedgate" {
		t.Errorf("title %q", none.Title())
	}
}

// TestGroups: the worst come first.
func TestGroups(t *testing.T) {
	of := func(connected int, stalled, what string) map[string]any {
		return map[string]any{
			"feedgate_connected": connected, "stalled": stalled, "feedgate_waiting_for": map[string]any{what: 1}, "waiting_for": "x: y",
		}
	}
	v := New(nil, after(t, 0, map[string]any{"upstreams": map[string]any{
		"a": of(1, "", "upstream"), "b": of(1, "", "upstream"), "c": of(1, "", "upstream"), "d": of(1, "", "workers"),
		"e": of(0, "", "connection"), "f": of(1, "5 wait", "sink"), "g": of(1, "", "acks_unread"), "h": of(1, "", "sink"),
	}, "not_ready": []any{"upstream e is not connected", "upstream x is not connected"}}))
	want := "8 upstreams: 1 not connected, 1 stalled, 1 waiting for servers to read acks, 1 waiting for the sink, 1 waiting for the workers, 3 keeping up"
	if v.Short() != want {
		t.Errorf("%q, want %q", v.Short(), want)
	}
	if r := v.Reasons(); len(r) != 1 || r[0] != "upstream x is not connected" {
		t.Errorf("reasons %q", r)
	}
}

// TestRefusing: from a hundredth of the messages on, refusals are what matters.
func TestRefusing(t *testing.T) {
	of := func(messages, refused int, waits string) map[string]any {
		return map[string]any{
			"feedgate_connected": 1, "feedgate_messages_total": messages, "feedgate_refused_total": refused,
			"feedgate_waiting_for": map[string]any{waits: 1}, "waiting_for": "the " + waits + ": x",
		}
	}
	for _, c := range []struct {
		messages, refused int
		waits, want       string
		level             Level
	}{
		{2000, 10, "upstream", "Keeping up, waiting for the upstream", Well},
		{2000, 100, "upstream", "Refusing 50 msg/s, waiting for the upstream", Busy},
		{0, 100, "upstream", "Refusing 50 msg/s, waiting for the upstream", Busy}, // too long for a worker
		{2000, 100, "workers", "Refusing 50 msg/s, waiting for the workers", Busy},
	} {
		v := New(after(t, 0, doc(label, of(0, 0, c.waits))), after(t, 2, doc(label, of(c.messages, c.refused, c.waits))))
		if v.Short() != c.want || v.Level() != c.level {
			t.Errorf("%+v: %q, %s", c, v.Short(), v.Level())
		}
	}
	two := func(refused int) map[string]any {
		return map[string]any{"upstreams": map[string]any{"a": of(0, refused, "upstream"), "b": of(0, 0, "upstream")}, "not_ready": []any{}}
	}
	if v := New(after(t, 0, two(0)), after(t, 1, two(5))); v.Short() != "2 upstreams: 1 refusing messages, 1 keeping up" {
		t.Error(v.Short())
	}
}

func TestManyReasons(t *testing.T) {
	var lines []any
	for range 20 {
		lines = append(lines, "no nsqd")
	}
	v := New(nil, after(t, 0, map[string]any{"upstreams": map[string]any{}, "not_ready": lines}))
	if r := v.Reasons(); len(r) != maxReasons+1 || r[maxReasons] != "and 12 more" || len(v.Missing) != 20 {
		t.Errorf("%q", r)
	}
}

// TestOneUpstreamIsNotExplainedTwice: a line of /ready about the only upstream is no reason of its own.
func TestOneUpstreamIsNotExplainedTwice(t *testing.T) {
	d := doc(label, map[string]any{"feedgate_connected": 1, "stalled": "5 wait: 5 for exec:x", "waiting_for": "the workers: 9 for exec:x"})
	d["not_ready"] = []any{"upstream " + label + " is stalled: 5 wait: 5 for exec:x", "sink: no child"}
	v := New(nil, after(t, 0, d))
	if v.Short() != "Stalled, waiting for the workers" || v.Detail() != "9 for exec:x" || len(v.Reasons()) != 1 || v.Reasons()[0] != "sink: no child" || len(v.Missing) != 2 {
		t.Errorf("%q, %q, %q", v.Short(), v.Detail(), v.Reasons())
	}
}

// TestHostileAnswers: nothing in an answer reaches the terminal unchanged that could control it, and no
// answer makes the view panic.
func TestHostileAnswers(t *testing.T) {
	evil := "a\x1b]0;pwned\x07\u009b31m\u202eb\r\n\xff" + strings.Repeat("x", 5000)
	for _, text := range []string{Clean(evil)} {
		if strings.ContainsAny(text, "\x1b\x07\u009b\u202e\r\n") || len(text) > 3*maxText || !strings.HasPrefix(text, "a\uFFFD]0;pwned") {
			t.Errorf("clean: %.60q of %d bytes", text, len(text))
		}
	}
	of := map[string]any{
		"feedgate_messages_total": "many", "feedgate_acks_total": map[string]any{evil: 3, "0": map[string]any{}},
		"feedgate_ring_depth": map[string]any{evil: 3, "-1": 4, "99999999999": 1, "3": "x", "4": map[string]any{"in": -5, "out": 1e308}},
		"feedgate_ack_latency_seconds": map[string]any{
			"count": -1, "sum": "x", "buckets": map[string]any{"0.1": 5, "NaN": 1, "x": 2, "0.2": 3, "-1": 9, "0.10": 7, "Inf": 1e300},
		},
		"feedgate_stopped_seconds_total": map[string]any{evil: 1e308}, "feedgate_protocol_errors_total": map[string]any{evil: 1e308},
		"waiting_for": evil, "stalled": []any{1}, "feedgate_waiting_for": map[string]any{evil: 1}, "feedgate_in_flight": 1e308,
	}
	bad := map[string]any{
		"upstreams": map[string]any{evil: of, "b": 7, "": nil}, "not_ready": []any{evil, 5, nil}, "sink": map[string]any{"label": evil},
		"dead_letter": "x", "process": map[string]any{"feedgate_build_info": map[string]any{evil: 1}},
	}
	for _, answer := range []map[string]any{bad, {}, {"upstreams": []any{}}, {"upstreams": map[string]any{}, "not_ready": "no"}} {
		v := New(after(t, 0, answer), after(t, 1, answer))
		text, err := json.Marshal(v.Upstreams)
		if err != nil && !strings.Contains(err.Error(), "NaN") {
			t.Error(err)
		}
		all := string(text) + v.Short() + v.Detail() + v.Version + v.Title() + strings.Join(v.Missing, " ")
		for _, u := range v.Upstreams {
			all += u.Label + u.Waiting + u.What() + u.Acked.String() + u.InFlight.Percent() + u.P99.String()
			for _, e := range append(u.Errors, u.Events...) {
				all += e.Name + e.Total.String()
			}
			for _, r := range u.Rings {
				all += Rate(r.Out).Short() + Count(r.In).String()
			}
		}
		if strings.ContainsAny(all, "\x1b\x07\u009b\u202e\r\n") {
			t.Errorf("a control character in %.300q", all)
		}
	}
}

// TestWithoutReadinessItIsNotReady: earlier versions do not report it.
func TestWithoutReadinessItIsNotReady(t *testing.T) {
	v := New(nil, after(t, 0, map[string]any{"upstreams": map[string]any{}}))
	if v.Ready() || len(v.Missing) != 1 {
		t.Errorf("missing %q", v.Missing)
	}
}

func TestSinks(t *testing.T) {
	at := func(seconds, messages float64, discards bool) *Snapshot {
		d := doc(label, map[string]any{"feedgate_acks_total": map[string]any{"0": 100}})
		d["sink"] = map[string]any{"label": "file:x", "feedgate_sink_ready": 1}
		if !discards {
			d["sink"] = map[string]any{
				"label": "file:x", "feedgate_sink_ready": 1, "feedgate_sink_messages_total": messages,
				"feedgate_sink_refused_total":  messages / 100,
				"feedgate_sink_seconds":        observed(messages/10, 1, map[string]any{"0.01": 0, "0.02": messages / 10}),
				"feedgate_sink_batch_messages": observed(messages/10, messages, map[string]any{"16": messages / 10}),
			}
			d["dead_letter"] = map[string]any{"label": "file:y", "feedgate_sink_messages_total": 0}
		}
		return after(t, seconds, d)
	}
	v := New(at(0, 1000, false), at(2, 3000, false))
	s := v.Sinks[0]
	if s.Rate != 1000 || s.Batch != 10 || s.P50.String() != "15 ms" || s.Refused != 30 || s.RecentlyRefused != 20 || !s.Ready {
		t.Errorf("%+v", s)
	}
	if d := v.Sinks[1]; d.Name != "Dead letters" || d.Rate != 0 || d.Batch.String() != "–" || d.Ready {
		t.Errorf("%+v", d)
	}
	if r := New(at(0, 0, true), at(1, 0, true)).Sinks[0].Rate; r.String() != "–" {
		t.Errorf("the rate of a sink that counts nothing is %s", r)
	}
}
