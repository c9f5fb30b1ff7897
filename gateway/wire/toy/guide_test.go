package toy

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestGuide: the guide's excerpts are in the files that they name.
func TestGuide(t *testing.T) {
	const root = "../../../"
	guide, err := os.ReadFile(root + "docs/adding-a-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	excerpts := regexp.MustCompile("(?ms)^```go\n// (gateway/wire/toy/\\S+)\n(.*?)^```$").FindAllStringSubmatch(string(guide), -1)
	if len(excerpts) == 0 {
		t.Error("there are no excerpts")
	}
	for _, excerpt := range excerpts {
		file, text := excerpt[1], excerpt[2]
		if code, err := os.ReadFile(root + file); err != nil || !strings.Contains(string(code), text) {
			t.Errorf("not in %s (%v):\n%s", file, err, text)
		}
	}
}
