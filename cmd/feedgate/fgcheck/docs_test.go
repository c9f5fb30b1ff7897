package fgcheck

import (
	"os"
	"slices"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/feedserver"
	"feedgate/cmd/feedgate/feedserver/feedtest"
)

// document reads docs/fg1-servers.md.
func document(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../docs/fg1-servers.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRulesInDocument: docs/fg1-servers.md has the same rules in the same words and order.
func TestRulesInDocument(t *testing.T) {
	var want, got []string
	for _, text := range rules {
		want = append(want, string(text.name)+": "+text.sentence)
	}
	for line := range strings.Lines(document(t)) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") && len(cells) == 3 {
			got = append(got, strings.Trim(cells[0], "|` ")+": "+cells[1])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("docs/fg1-servers.md has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestExampleInDocument: the output in docs/fg1-servers.md is that of the feed shown with it.
func TestExampleInDocument(t *testing.T) {
	const begin, end = "\n$ feedgate check --fg1 --consume fg://127.0.0.1:7000\n", "```"
	_, example, _ := strings.Cut(document(t), begin)
	example, _, _ = strings.Cut(example, end)
	s := feedtest.Start(t, feedserver.Config{Count: 1000, Acks: []string{"each"}})
	_, out, err := check(t, Config{Address: s.Addr().String(), Timeout: patience})
	if err != nil || out != example {
		t.Errorf("%v; the example is\n%s\nwant\n%s", err, example, out)
	}
}
