package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// fileSink is the test's own file sink.
type fileSink struct {
	path string
}

func newFileSink(t *testing.T) fileSink {
	return fileSink{path: filepath.Join(t.TempDir(), "messages")}
}

func (f fileSink) flag() string { return "--sink=file:" + f.path }

func (f fileSink) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// holds checks the whole file. Its order is defined only with one worker.
func (f fileSink) holds(t *testing.T, lines ...string) {
	t.Helper()
	want := ""
	for _, line := range lines {
		want += line + "\n"
	}
	if got := f.text(t); got != want {
		t.Fatalf("the file holds %.200q, want %.200q", got, want)
	}
}
