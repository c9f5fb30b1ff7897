// Package sinktest is for the tests of sinks that a URL names. It checks that they leave nothing
// behind. Package handlertest gives them messages.
package sinktest

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/testkit"
)

// Open opens a sink, and closes it at the end of the test, after its pools.
func Open(t testing.TB, kind sink.Kind, url string, cfg sink.Config) *sink.Sink {
	t.Helper()
	VerifyNoLeaks(t)
	s, err := sink.Registry{kind}.Open(url, prepare(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the sink: %v", err)
		}
	})
	return s
}

// Prepare is cfg with what a test wants in place of some defaults, and the other defaults.
func Prepare(t testing.TB, cfg sink.Config) *sink.Config {
	cfg = prepare(t, cfg).WithDefaults()
	return &cfg
}

func prepare(t testing.TB, cfg sink.Config) sink.Config {
	if cfg.Log == nil {
		cfg.Log = testkit.Logger(t)
	}
	if cfg.ReconnectMin == 0 {
		cfg.ReconnectMin, cfg.ReconnectMax = 2*time.Millisecond, 8*time.Millisecond
	}
	return cfg
}

// VerifyNoLeaks checks, after everything that the test cleans up from here on,
// that it has left no goroutine, descriptor or child process. What is there already, such as
// a server that the test has started, does not count.
func VerifyNoLeaks(t testing.TB) {
	t.Helper()
	before, running := OpenFiles(t), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, running)
		if after := OpenFiles(t); len(after) > len(before) {
			t.Errorf("open files: %q before, %q after", before, after)
		}
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
			t.Errorf("a child process is left: %d, %v", pid, err)
		}
	})
}

// OpenFiles are the names of the files that the process has open.
func OpenFiles(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		name, err := os.Readlink("/proc/self/fd/" + e.Name())
		// The runtime's poller keeps two for itself from its first use on, and a
		// process handle may be open for a moment.
		if err == nil && !strings.HasPrefix(name, "anon_inode:") {
			files = append(files, name)
		}
	}
	return files
}

// Benchmark runs b.N messages of size bytes through one worker.
func Benchmark(b *testing.B, kind sink.Kind, url string, size int) {
	s, err := sink.Registry{kind}.Open(url, sink.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	handlertest.Benchmark(b, s, size)
}
