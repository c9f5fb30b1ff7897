package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// benchFields are the fields of a result row, as listed in the contract.
var benchFields = strings.Fields(`subject protocol size workers work_ns rate_offered msgs seconds msgs_per_s mb_per_s
	cpu_ns_per_msg feed_cpu_ns_per_msg allocs_per_msg syscalls_per_msg rss_mb p50_us p99_us p999_us max_us missing
	duplicate of_limit`)

type benchFile struct {
	Meta map[string]any
	Rows []map[string]any
}

// runBench runs bench and reads its file.
func runBench(t *testing.T, status int, args ...string) (benchFile, outcome) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bench.json")
	done := command(t, nil, append([]string{"bench", "--out", path}, args...)...)
	if done.status != status {
		t.Fatalf("status %d, not %d\n%s", done.status, status, done.stderr)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file benchFile
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file, done
}

func TestBenchMeasuresTheDefaultSubjects(t *testing.T) {
	msgs := 5000
	if raceBuild {
		msgs = 500 // the subjects have the race detector, too
	}
	file, done := runBench(t, 0, "--msgs", strconv.Itoa(msgs), "--rounds", "1", "--workers", "2")
	want := strings.Split("limit,inline,naive,channels,batches,gnet-loop,seed-32,feedgate", ",")
	if len(file.Rows) != len(want) {
		t.Fatalf("%d rows", len(file.Rows))
	}
	for i, row := range file.Rows {
		for _, field := range benchFields {
			if _, there := row[field]; !there {
				t.Errorf("row %d has no %s", i, field)
			}
		}
		if row["subject"] != want[i] || row["protocol"] != "fg" || row["size"] != 64.0 || row["workers"] != 2.0 ||
			row["msgs"] != float64(msgs) || row["missing"] != 0.0 || row["duplicate"] != 0.0 {
			t.Errorf("row %v", row)
		}
		for _, field := range []string{"seconds", "msgs_per_s", "mb_per_s", "cpu_ns_per_msg", "of_limit", "p50_us", "max_us", "rss_mb"} {
			if v, _ := row[field].(float64); v <= 0 {
				t.Errorf("%s: %s is %v", row["subject"], field, row[field])
			}
		}
		if !strings.Contains(done.stdout, want[i]) {
			t.Errorf("the table has no %s:\n%s", want[i], done.stdout)
		}
	}
	if len(file.Meta) == 0 {
		t.Error("no meta")
	}
	if strings.Count(done.stderr, "\n") < len(want) {
		t.Errorf("no progress:\n%s", done.stderr)
	}
}

func TestBenchListsAndRate(t *testing.T) {
	file, _ := runBench(t, 0, "--subjects=inline,feedgate", "--workers=1,2", "--rate=5000", "--duration=200ms", "--rounds=1", "--work=1us")
	if len(file.Rows) != 4 {
		t.Fatalf("%d rows", len(file.Rows))
	}
	for _, row := range file.Rows {
		if row["rate_offered"] != 5000.0 || row["work_ns"] != 1000.0 || row["of_limit"] != nil {
			t.Errorf("row %v", row)
		}
		if n, _ := row["msgs"].(float64); n < 1 || n > 1001 {
			t.Errorf("%v messages in 200 ms at 5000 a second", row["msgs"])
		}
	}
}

// TestBenchOfDestinations: rows of subjects that pass messages on have the same fields. What lines without
// acks cannot report is null.
func TestBenchOfDestinations(t *testing.T) {
	file, _ := runBench(t, 0, "--subjects=kafka-feedgate,http-feedgate,line-discard,line-file", "--msgs=2000", "--rounds=1")
	if len(file.Rows) != 4 {
		t.Fatalf("%d rows", len(file.Rows))
	}
	for _, row := range file.Rows {
		for _, field := range benchFields {
			if _, there := row[field]; !there {
				t.Errorf("%s has no %s", row["subject"], field)
			}
		}
		if row["msgs"] != 2000.0 || row["missing"] != 0.0 || (row["p50_us"] == nil) != (row["protocol"] == "line") {
			t.Errorf("row %v", row)
		}
	}
}

func TestBenchThresholds(t *testing.T) {
	args := []string{"--subjects=inline,feedgate", "--msgs=2000", "--rounds=1"}
	for _, c := range []struct {
		expr   string
		status int
	}{
		{"msgs_per_s<1", 0}, {"msgs_per_s>1", 99}, {"inline:missing>0", 0}, {"inline:msgs>=2000", 99},
	} {
		_, done := runBench(t, c.status, append(args, "--fail-if", c.expr)...)
		if c.status != 0 && !strings.Contains(done.stderr, c.expr) {
			t.Errorf("%s is not named in\n%s", c.expr, done.stderr)
		}
	}
}

func TestReportsOfRuns(t *testing.T) {
	dir := t.TempDir()
	before, after, page := filepath.Join(dir, "before.json"), filepath.Join(dir, "after.json"), filepath.Join(dir, "page.html")
	for _, path := range []string{before, after} {
		if done := command(t, nil, "bench", "--subjects=limit,inline", "--msgs=2000", "--rounds=2", "--out", path); done.status != 0 {
			t.Fatalf("status %d\n%s", done.status, done.stderr)
		}
	}
	one := command(t, nil, "report", before)
	both := command(t, nil, "report", before, after, "--html", page)
	for _, done := range []outcome{one, both} {
		if done.status != 0 || !strings.Contains(done.stdout, "inline") {
			t.Errorf("status %d\n%s%s", done.status, done.stdout, done.stderr)
		}
	}
	if !strings.Contains(both.stdout, "%") {
		t.Errorf("no change in per cent:\n%s", both.stdout)
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(html)
	if !strings.Contains(text, "<svg") || strings.Contains(text, "<script src") || strings.Contains(text, "<link") || strings.Contains(text, "@import") {
		t.Error("the page has no picture, or loads something")
	}
	if done := command(t, nil, "report", filepath.Join(dir, "none.json")); done.status != 1 || !strings.Contains(done.stderr, "none.json") {
		t.Errorf("status %d\n%s", done.status, done.stderr)
	}
}
