// Package examples checks the guides whose code is in the folders below it.
package examples

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestGuidesQuoteTheirFiles: each block of Go code is an excerpt of the file named on the line before
// it, so the code in the guides compiles and is tested.
func TestGuidesQuoteTheirFiles(t *testing.T) {
	for guide, least := range map[string]int{"../adding-a-sink.md": 10, "../sinks-http.md": 1} {
		checkQuotes(t, guide, least)
	}
}

// checkQuotes checks a guide with at least so many blocks.
func checkQuotes(t *testing.T, path string, least int) {
	t.Helper()
	guide, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)([^\n]*)\n\n```go\n(.*?\n)```\n").FindAllStringSubmatch(string(guide), -1)
	if n := strings.Count(string(guide), "```go"); n != len(blocks) || n < least {
		t.Fatalf("%d blocks of Go code, of which %d follow a line", n, len(blocks))
	}
	for _, b := range blocks {
		path := strings.TrimSuffix(strings.TrimPrefix(b[1], "`"), "`:")
		file, err := os.ReadFile("../../" + path)
		if err != nil {
			t.Errorf("the line before a block is not `FILE`: but %q: %v", b[1], err)
			continue
		}
		if !strings.Contains(string(file), b[2]) {
			t.Errorf("%s does not have\n%s", path, b[2])
		}
	}
}
