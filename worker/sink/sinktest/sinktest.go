// Package sinktest opens sinks in unit tests, with short waits, and checks that they leave nothing
// behind. Package feedgate/gateway/handlertest gives them messages.
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

// Open opens the sink with this URL. At the end of the test, it closes the sink and fails the test
// if [VerifyNoLeaks] does. Fake servers of the sink must have been started before.
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

// Prepare returns cfg with all defaults, those of tests first: the test's log, and waits of
// milliseconds.
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

// fakeCloses is how long a fake server may take to close its side of a connection.
const fakeCloses = 10 * time.Second

// VerifyNoLeaks fails the test if, at its end, there are more goroutines, open files or child
// processes than now. It checks after all that is registered with t.Cleanup from now on.
func VerifyNoLeaks(t testing.TB) {
	t.Helper()
	before, running := OpenFiles(t), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, running)
		after := OpenFiles(t)
		for end := time.Now().Add(fakeCloses); len(after) > len(before) && time.Now().Before(end); after = OpenFiles(t) {
			time.Sleep(time.Millisecond)
		}
		if len(after) > len(before) {
			t.Errorf("open files: %q before, %q after", before, after)
		}
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
			t.Errorf("a child process is left: %d, %v", pid, err)
		}
	})
}

// OpenFiles returns the names of the files that the process has open.
func OpenFiles(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		name, err := os.Readlink("/proc/self/fd/" + e.Name())
		// The runtime's poller keeps two from its first use on, and a pidfd may be open for
		// a moment.
		if err == nil && !strings.HasPrefix(name, "anon_inode:") {
			files = append(files, name)
		}
	}
	return files
}

// Benchmark runs b.N messages of size bytes through one worker of the sink with this URL.
func Benchmark(b *testing.B, kind sink.Kind, url string, size int) {
	s, err := sink.Registry{kind}.Open(url, sink.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	handlertest.Benchmark(b, s, size)
}
