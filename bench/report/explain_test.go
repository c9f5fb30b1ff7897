package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"feedgate/bench"
)

// TestExplained: each subject once, in the words of the harness.
func TestExplained(t *testing.T) {
	file := new(bench.File)
	for _, name := range []string{"limit", "feedgate", "limit", "feedgate@/tmp/old/feedgate-bench", "gone", "inline-loses", "\x1b@\x1b"} {
		file.Rows = append(file.Rows, bench.Row{Subject: name})
	}
	got := explained([]Source{{"a", file}, {"b", file}})
	limit, own, control := bench.Find("limit"), bench.Find("feedgate"), bench.Find("inline-loses")
	want := []term{
		{"limit", limit.Doc, limit.Question},
		{"feedgate", own.Doc, own.Question},
		{"feedgate@/tmp/old/feedgate-bench", "feedgate of another build, /tmp/old/feedgate-bench", "which build is faster?"},
		{"gone", "not a subject of this version of feedgate bench", ""},
		{"inline-loses", control.Doc, ""},
		{"\uFFFD@\uFFFD", "not a subject of this version of feedgate bench", ""},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for i := range 3 * maxTerms {
		file.Rows = append(file.Rows, bench.Row{Subject: fmt.Sprint(i)})
	}
	if n := len(explained([]Source{{"a", file}})); n != maxTerms {
		t.Errorf("%d subjects are explained", n)
	}
}

// TestFiguresAreExplained: each column of the tables.
func TestFiguresAreExplained(t *testing.T) {
	var names []string
	for _, f := range figuresOf([]Source{{"a", full(t)}}) {
		names = append(names, f.Name)
		if f.Text == "" {
			t.Errorf("%s has no explanation", f.Name)
		}
	}
	sameList(t, names, []string{"msg/s", "of limit", "client CPU/msg", "allocs/msg", "p50", "p99"})
	for _, m := range metrics {
		if m.means == "" || strings.HasSuffix(m.means, ".") {
			t.Errorf("%s: %q", m.name, m.means)
		}
	}
}

func TestLabel(t *testing.T) {
	for subject, want := range map[string]string{
		"feedgate":                                              "feedgate",
		"feedgate@/tmp/old/feedgate-bench":                      "feedgate@/tmp/old/feedgate-bench",
		"feedgate-key@/tmp/before/bin/feedgate-bench":           "feedgate-key@/tmp/before",
		"feedgate@/home/somebody/build/before/feedgate":         "feedgate@…/somebody/build/before",
		"feedgate-key@/home/somebody/of-yesterday/bin/feedgate": "feedgate-key@…ebody/of-yesterday",
		strings.Repeat("n", 40) + "@/x":                         "nnnnnnnnnn…nnnnnnnnnnnnnnnnnn@/x",
		strings.Repeat("ä", 31) + "@" + strings.Repeat("b", 9):  "ääääääääää…äääääääääää@bbbbbbbbb",
	} {
		got := label(subject)
		if n := len([]rune(got)); got != want || n > maxName {
			t.Errorf("%s: %s, not %s (%d)", subject, got, want, n)
		}
	}
}
