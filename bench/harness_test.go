package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/bench"
)

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// quiet ignores the progress.
func quiet(bench.Progress) {}

func TestEverySubjectUnderEveryLoad(t *testing.T) {
	var names []string
	for _, s := range bench.Subjects {
		if s.Run != nil && s.Protocol != "nsq" && (!s.Control || s.Name == "inline-slow") { // see TestNSQ
			names = append(names, s.Name)
		}
	}
	var seen []bench.Progress
	file, err := bench.Run(t.Context(), bench.Config{
		Subjects: names, Sizes: []int{10, 2000}, Workers: []int{1, 3}, Msgs: 2000, Rounds: 2, Self: self(t),
	}, func(p bench.Progress) { seen = append(seen, p) })
	for _, r := range file.Rows {
		for _, fault := range r.Faults {
			t.Errorf("%s, %d bytes, %d workers: %s", r.Subject, r.Size, r.Workers, fault)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := len(names) * 4; len(file.Rows) != want {
		t.Fatalf("%d rows, want %d", len(file.Rows), want)
	}
	for i := range file.Rows {
		checkWhole(t, &file.Rows[i], names)
	}
	last := seen[len(seen)-1]
	if total := len(names) * 4 * 3; !last.Ended || last.Done != total || last.Total != total {
		t.Errorf("at the end %+v", last)
	}
	if file.Meta.Rounds != 2 || file.Meta.Kernel == "" || file.Meta.Cores < 1 {
		t.Errorf("meta %+v", file.Meta)
	}
}

func checkWhole(t *testing.T, r *bench.Row, names []string) {
	t.Helper()
	if !slices.Contains(names, r.Subject) || !r.Sound() || r.Rounds != 2 || r.Protocol != bench.Find(r.Subject).Protocol {
		t.Errorf("row %+v", r)
	}
	for name, want := range map[string]float64{"msgs": 2000, "missing": 0, "duplicate": 0, "unknown": 0} {
		if v, _ := r.Metric(name); v == nil || *v != want {
			t.Errorf("%s: %s is not %v", r.Subject, name, want)
		}
	}
	for _, name := range []string{
		"seconds", "msgs_per_s", "mb_per_s", "cpu_ns_per_msg", "feed_cpu_ns_per_msg", "allocs_per_msg", "rss_mb",
		"p50_us", "p99_us", "p999_us", "max_us", "of_limit",
	} {
		v, _ := r.Metric(name)
		if v == nil || *v < 0 || *v == 0 && name != "allocs_per_msg" {
			t.Errorf("%s: %s is not known", r.Subject, name)
			continue
		}
		if in := r.Spread[name]; in.Lo > *v || in.Hi < *v {
			t.Errorf("%s: %s is %v and its spread %v", r.Subject, name, *v, in)
		}
	}
	if r.Subject == "limit" && *r.OfLimit != 1 {
		t.Errorf("limit is %v of itself", *r.OfLimit)
	}
	if n := len(r.Latency); n == 0 || r.Latency[n-1].Percentile != 100 || r.Latency[n-1].US != *r.MaxUS {
		t.Errorf("%s: latency %v", r.Subject, r.Latency)
	}
}

func TestRateAndDuration(t *testing.T) {
	file, err := bench.Run(t.Context(), bench.Config{
		Subjects: []string{"inline", "feedgate"}, Duration: 300 * time.Millisecond, Rate: 5000,
		Work: time.Microsecond, Read: true, Rounds: 1, Self: self(t),
	}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Rows {
		if r.RateOffered != 5000 || r.WorkNS != 1000 || r.OfLimit != nil || *r.Msgs < 1 || *r.Msgs > 1501 || *r.P50US <= 0 {
			t.Errorf("row %+v, %v messages", r, *r.Msgs)
		}
	}
}

// TestKeys: subjects by key are measured with keys of every form.
func TestKeys(t *testing.T) {
	for _, form := range []string{"bytes", "field", "json"} {
		file, err := bench.Run(t.Context(), bench.Config{
			Subjects: []string{"feedgate", "feedgate-key", "channels-key"}, Sizes: []int{80}, Msgs: 3000, Rounds: 1,
			Keys: 3, KeyForm: form, Self: self(t),
		}, quiet)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		for _, r := range file.Rows {
			if !r.Sound() || *r.Msgs != 3000 {
				t.Errorf("%s: row %+v, %v messages", form, r, *r.Msgs)
			}
		}
	}
}

func TestPlantedFaultsAreFound(t *testing.T) {
	file, err := bench.Run(t.Context(), bench.Config{
		Subjects: []string{"inline-doubles", "inline-loses", "inline"}, Msgs: 2000, Rounds: 1,
		Patience: 300 * time.Millisecond, Self: self(t),
	}, quiet)
	if !errors.Is(err, bench.ErrUnsound) {
		t.Errorf("error %v", err)
	}
	doubles, loses, honest := file.Rows[0], file.Rows[1], file.Rows[2]
	if doubles.Sound() || doubles.Duplicate != 2 || doubles.Missing != 0 {
		t.Errorf("of one that doubles: %+v", doubles)
	}
	if loses.Sound() || loses.Missing != 2 || loses.Duplicate != 0 {
		t.Errorf("of one that loses: %+v", loses)
	}
	if !honest.Sound() {
		t.Errorf("of one that does neither: %+v", honest)
	}
}

// script makes a subject's program in the directory of a copy of the harness.
func script(t *testing.T, name, text string) (harness string) {
	t.Helper()
	dir := t.TempDir()
	harness = filepath.Join(dir, "harness")
	if err := os.Link(self(t), harness); err != nil {
		data, err := os.ReadFile(self(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(harness, data, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if text != "" {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return harness
}

func TestFailingSubjectIsReported(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"at the start":   {"echo broken >&2; exit 3", "broken"},
		"not JSON":       {"echo hello", "unreadable"},
		"not ready":      {`echo '{"ready":false}'`, "did not report that it is ready"},
		"after it began": {`echo '{"ready":true}'; read go; echo broken >&2; exit 1`, "broken"},
		"no output":      {`echo '{"ready":true}'; read go`, "without output"},
		"several lines":  {"echo broken >&2; echo see the manual >&2; exit 2", "broken"},
		"endless line":   {"exec cat /dev/zero", "without output"},
		"orphan":         {"sleep 1000 & exit 3", "exit status 3"},
		"no connection":  {`echo '{"ready":true}'; read go; echo '{"messages":0}'`, "ended without a message"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := bench.Run(t.Context(), bench.Config{
				Subjects: []string{"inline", "asio"}, Msgs: 100, Rounds: 1, Self: script(t, "feedgate-asio", c.text),
			}, quiet)
			if !errors.Is(err, bench.ErrUnsound) {
				t.Fatalf("error %v", err)
			}
			if r := file.Rows[0]; !r.Sound() {
				t.Errorf("the row of the other subject: %+v", r)
			}
			if r := file.Rows[1]; r.Sound() || r.Rounds != 0 || r.MsgsPerS != nil || len(r.Faults) != 2 ||
				!strings.Contains(strings.Join(r.Faults, " "), c.want) {
				t.Errorf("row %+v", r)
			}
		})
	}
}

func TestMissingSubjectIsLeftOut(t *testing.T) {
	file, err := bench.Run(t.Context(), bench.Config{
		Subjects: []string{"inline", "asio"}, Msgs: 100, Rounds: 1, Self: script(t, "feedgate-asio", ""),
	}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if len(file.Rows) != 1 || len(file.Meta.Notes) == 0 || !strings.Contains(file.Meta.Notes[0], "asio LEFT OUT") {
		t.Errorf("rows %+v, notes %q", file.Rows, file.Meta.Notes)
	}
	if _, err := bench.Run(t.Context(), bench.Config{
		Subjects: []string{"asio"}, Msgs: 100, Self: script(t, "feedgate-asio", ""),
	}, quiet); err == nil || !strings.Contains(err.Error(), "make baselines") {
		t.Errorf("error %v", err)
	}
}

func TestInterruptedRunKeepsFinishedRounds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	file, err := bench.Run(ctx, bench.Config{
		Subjects: []string{"inline"}, Msgs: 100, Rounds: 50, Self: self(t),
	}, func(p bench.Progress) {
		if p.Ended && p.Round == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if len(file.Rows) != 1 || file.Rows[0].Rounds != 2 || !file.Rows[0].Sound() {
		t.Errorf("rows %+v", file.Rows)
	}
	if !strings.Contains(strings.Join(file.Meta.Notes, " "), "ended before all rounds were measured") {
		t.Errorf("notes %q", file.Meta.Notes)
	}
}

func TestFileRoundTrip(t *testing.T) {
	one, two := 1.5, 2.5
	file := &bench.File{
		Meta: bench.Meta{Kernel: "k", Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Command: []string{"feedgate"}},
		Rows: []bench.Row{{
			Subject: "inline", MsgsPerS: &one, P99US: &two, Missing: 3,
			Spread:  map[string]bench.Interval{"p99_us": {Lo: 1, Hi: 3}},
			Latency: []bench.Percentile{{Percentile: 50, US: 2, Interval: bench.Interval{Lo: 1, Hi: 3}}},
			Faults:  []string{"round 1: x"},
		}},
	}
	path := filepath.Join(t.TempDir(), "file.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Encode(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	again, err := bench.ReadFile(path)
	if err != nil || !reflect.DeepEqual(again, file) {
		t.Errorf("%+v, %v\nwant %+v", again, err, file)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var raw struct{ Rows []map[string]any }
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(`subject protocol size workers work_ns rate_offered msgs seconds msgs_per_s
		mb_per_s cpu_ns_per_msg feed_cpu_ns_per_msg allocs_per_msg syscalls_per_msg rss_mb p50_us p99_us p999_us
		max_us missing duplicate of_limit`) {
		v, there := raw.Rows[0][name]
		if !there {
			t.Errorf("a row has no %s", name)
		}
		if name == "of_limit" && v != nil {
			t.Errorf("%s is %v instead of null", name, v)
		}
	}
	for _, bad := range []string{"", "{}", `{"rows":[]}`, "[]", "nonsense"} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := bench.ReadFile(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}
