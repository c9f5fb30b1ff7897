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

// slowReader is an output whose reader reads when it is told to.
type slowReader struct {
	mu      sync.Mutex
	text    bytes.Buffer
	fail    error
	arrived chan struct{} // a token for each Write that waits
	proceed chan struct{} // closed: it is read
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

// missed is how many lines were dropped and not yet reported.
func missed(w *logWriter) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.missed
}

// TestLogWriterDrops: behind a reader that is stuck a bounded number of bytes waits; what
// is dropped is counted, and once it reads again a line says how many, in its place.
func TestLogWriterDrops(t *testing.T) {
	out := newSlowReader()
	w := newLogWriter(out)
	w.setNote(func(missed uint64) []byte { return fmt.Appendf(nil, "%d missed\n", missed) })
	line := []byte(strings.Repeat("x", 1023) + "\n")
	w.Write(line)
	<-out.arrived // that one is out of the queue
	const fit, more = logQueue / 1024, 7
	for range fit + more {
		if n, err := w.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := missed(w); got != more {
		t.Errorf("%d dropped, want %d", got, more)
	}
	start := time.Now()
	w.flush()
	if waited := time.Since(start); waited < flushStuck || waited > 10*flushTotal {
		t.Errorf("flush took %v behind a stuck reader", waited)
	}
	close(out.proceed)
	testkit.Eventually(t, "the note", func() bool { return strings.HasSuffix(out.String(), "\n7 missed\n") })
	w.Write([]byte("last\n"))
	w.flush()
	if want := strings.Repeat(string(line), 1+fit) + "7 missed\nlast\n"; out.String() != want {
		t.Errorf("%d bytes were written, want %d", len(out.String()), len(want))
	}
}

// TestLogWriterFails: a reader that has gone, or a full disk, costs lines and nothing else.
func TestLogWriterFails(t *testing.T) {
	out := newSlowReader()
	close(out.proceed)
	w := newLogWriter(out)
	w.Write([]byte("before\n"))
	w.flush()
	out.set(errors.New("no space left on device"))
	for i := range 3 {
		fmt.Fprintln(w, i) // behind the note about those before, which fails, too
		w.flush()
		testkit.Eventually(t, "another line dropped", func() bool { return missed(w) == uint64(i+1) })
	}
	out.set(nil)
	w.Write([]byte("after\n"))
	w.flush()
	if want := "before\nfeedgate: 3 lines dropped: standard error was not read\nafter\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestLogWriterFlushes all that is queued, to whoever reads.
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
	if got := strings.Count(out.String(), "line\n"); got != 800 || missed(w) != 0 {
		t.Errorf("%d lines were written, %d dropped", got, missed(w))
	}
}
