package feed

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// savedState is the content of a state file with one upstream.
type savedState struct {
	session string
	seq     uint64
}

var savedPattern = regexp.MustCompile(`"session": "([^"]+)",\s*"seq": (\d+)`)

// readState reads the state file. It returns zero if the file has no session.
func readState(t *testing.T, path string) savedState {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		return savedState{} // not written yet
	}
	m := savedPattern.FindSubmatch(b)
	if m == nil {
		return savedState{}
	}
	seq, err := strconv.ParseUint(string(m[2]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return savedState{string(m[1]), seq}
}
