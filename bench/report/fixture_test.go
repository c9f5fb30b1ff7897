package report

import (
	"encoding/json"
	"testing"
	"time"

	"feedgate/bench"
)

// value is a figure, by its name in JSON, with its spread.
type value struct {
	name       string
	is, lo, hi float64
}

// result returns a row of a file. Without values it has no figures.
func result(t *testing.T, subject string, l load, rounds int, values ...value) bench.Row {
	t.Helper()
	fields := map[string]any{
		"subject": subject, "protocol": l.protocol, "size": l.size, "workers": l.workers,
		"work_ns": l.workNS, "rate_offered": l.rate, "rounds": rounds,
	}
	spread := make(map[string]bench.Interval)
	for _, v := range values {
		fields[v.name] = v.is
		spread[v.name] = bench.Interval{Lo: v.lo, Hi: v.hi}
	}
	fields["spread"] = spread
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	var row bench.Row
	if err := json.Unmarshal(text, &row); err != nil {
		t.Fatal(err)
	}
	return row
}

// withLatencies adds a distribution with a spread to a row, rising from least.
func withLatencies(row bench.Row, least float64) bench.Row {
	for i, p := range []float64{1, 50, 90, 99, 99.9, 100} {
		us := least * float64(int(1)<<i)
		row.Latency = append(row.Latency, bench.Percentile{Percentile: p, US: us, Interval: bench.Interval{Lo: us * 0.9, Hi: us * 1.2}})
	}
	return row
}

var (
	flatOut = load{size: 64, workers: 2, protocol: "fg"}
	paced   = load{size: 1024, workers: 1, workNS: 500, rate: 100000, protocol: "fg"}
)

var meta = bench.Meta{
	Machine: "AMD EPYC", Cores: 2, MemoryMB: 7936, Kernel: "Linux 6.18", Congestion: "bbr",
	Go: "go1.26.8", Commit: "68ed7db", Command: []string{"feedgate", "bench", "--out", "my results.json"},
	Began: time.Date(2025, 11, 20, 10, 30, 0, 0, time.UTC), Rounds: 7, Notes: []string{"asio LEFT OUT"},
}

// full returns a file with everything: two loads that differ in several parameters, an unsound row,
// and a row without figures.
func full(t *testing.T) *bench.File {
	t.Helper()
	loses := result(t, "inline-loses", flatOut, 7, value{"msgs_per_s", 17e6, 16e6, 18e6}, value{"cpu_ns_per_msg", 45, 41, 48})
	loses.Missing, loses.Faults = 7, []string{"round 1: exit status 1", "b", "c", "d", "e"}
	silent := result(t, "gnet-loop", flatOut, 0)
	silent.Faults = []string{"warm-up: killed"}
	return &bench.File{Meta: meta, Rows: []bench.Row{
		result(t, "limit", flatOut, 7, value{"msgs_per_s", 21.04e6, 16.6e6, 27.5e6}, value{"of_limit", 1, 1, 1}, value{"cpu_ns_per_msg", 26, 23, 36}),
		result(t, "naive", flatOut, 7, value{"msgs_per_s", 182345, 17e4, 19e4}, value{"of_limit", 0.00858, 0.008, 0.01}, value{"cpu_ns_per_msg", 5400, 5210, 5602}, value{"allocs_per_msg", 2.31, 2.3, 2.4}),
		loses,
		silent,
		result(t, "feedgate", flatOut, 7, value{"msgs_per_s", 20.4e6, 18.4e6, 26.5e6}, value{"of_limit", 0.92, 0.84, 1.6}, value{"cpu_ns_per_msg", 40, 32, 46}, value{"allocs_per_msg", 0.00012, 0.0001, 0.0002}),
		withLatencies(result(t, "channels", paced, 7, value{"msgs_per_s", 1e5, 99990, 100010}, value{"p50_us", 104.2, 88.5, 128}, value{"p99_us", 348, 296, 469}), 10),
		withLatencies(result(t, "feedgate", paced, 7, value{"msgs_per_s", 1e5, 99990, 100010}, value{"p50_us", 48.04, 40.8, 58}, value{"p99_us", 156, 132, 210}), 5),
	}}
}
