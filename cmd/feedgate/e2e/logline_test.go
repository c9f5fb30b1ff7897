package e2e

import (
	"strconv"
	"strings"
	"testing"
)

// lastLine returns the last line of a log.
func lastLine(log string) string {
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	return lines[len(lines)-1]
}

// attribute returns the number with that key in a line of the text log.
func attribute(t *testing.T, line, key string) int {
	t.Helper()
	for word := range strings.FieldsSeq(line) {
		if text, found := strings.CutPrefix(word, key+"="); found {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Errorf("%s in: %s", word, line)
			}
			return n
		}
	}
	t.Errorf("no %s in: %s", key, line)
	return -1
}
