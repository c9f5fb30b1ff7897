package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"feedgate/worker/testkit"
)

// slowReader is an output whose reader reads nothing until proceed is closed.
type slowReader struct {
	mu      sync.Mutex
	text    bytes.Buffer
	fail    error
	arrived chan struct{} // gets a token when a Write begins to wait
	proceed chan struct{} // closed by the test to end the waits
}

func newSlowReader() *slowReader {
	return &slowReader{arrived: make(chan struct{}, 1), proceed: make(chan struct{})}
}

func (r *slowReader) Write(p []byte) (int, error) {
	signalTo(r.arrived)
	<-r.proceed
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return 0, r.fail
	}
	return r.text.Write(p)
}

func (r *slowReader) set(fail error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = fail
}

func (r *slowReader) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// dropped is the number of dropped lines that are not yet reported.
func dropped(w *logWriter) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// TestLogWriterDrops: while the reader is stuck, the queue is bounded and further lines are
// dropped. Once it reads again, a line in their place reports how many.
func TestLogWriterDrops(t *testing.T) {
	out := newSlowReader()
	w := newLogWriter(out)
	w.setDropReport(func(dropped uint64) []byte { return fmt.Appendf(nil, "%d dropped\n", dropped) })
	line := []byte(strings.Repeat("x", 1023) + "\n")
	w.Write(line)
	<-out.arrived // it has left the queue
	const fit, more = logQueue / 1024, 7
	for range fit + more {
		if n, err := w.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := dropped(w); got != more {
		t.Errorf("%d dropped, want %d", got, more)
	}
	start := time.Now()
	w.flush()
	if waited := time.Since(start); waited < flushStuck || waited > 10*flushTotal {
		t.Errorf("flush took %v behind a stuck reader", waited)
	}
	close(out.proceed)
	testkit.Eventually(t, "the report", func() bool { return strings.HasSuffix(out.String(), "\n7 dropped\n") })
	w.Write([]byte("last\n"))
	w.flush()
	if want := strings.Repeat(string(line), 1+fit) + "7 dropped\nlast\n"; out.String() != want {
		t.Errorf("%d bytes were written, want %d", len(out.String()), len(want))
	}
}

// TestLogWriterFails: if the reader is gone or a disk is full, lines are dropped and reported later.
func TestLogWriterFails(t *testing.T) {
	out := newSlowReader()
	close(out.proceed)
	w := newLogWriter(out)
	w.Write([]byte("before\n"))
	w.flush()
	out.set(errors.New("no space left on device"))
	for i := range 3 {
		fmt.Fprintln(w, i) // follows a report, which fails too
		w.flush()
		testkit.Eventually(t, "another line dropped", func() bool { return dropped(w) == uint64(i+1) })
	}
	out.set(nil)
	w.Write([]byte("after\n"))
	w.flush()
	if want := "before\nfeedgate: 3 lines dropped: standard error was not read\nafter\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestLogWriterFlushes: flush writes all lines that several goroutines have queued.
func TestLogWriterFlushes(t *testing.T) {
	out := newSlowReader()
	close(out.proceed)
	w := newLogWriter(out)
	var writing sync.WaitGroup
	for range 8 {
		writing.Go(func() {
			for range 100 {
				w.Write([]byte("line\n"))
			}
		})
	}
	writing.Wait()
	w.flush()
	if got := strings.Count(out.String(), "line\n"); got != 800 || dropped(w) != 0 {
		t.Errorf("%d lines were written, %d dropped", got, dropped(w))
	}
}
