package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// logQueue limits the bytes that wait for a slow reader of standard error.
	logQueue = 256 << 10
	// flush gives up after flushStuck without a completed write, and after flushTotal in all.
	flushStuck = 200 * time.Millisecond
	flushTotal = 300 * time.Millisecond
)

// logWriter writes to standard error without waiting for its reader. Write queues a line and
// returns at once; a goroutine writes it. A line is dropped if the queue is full or writing it
// fails. Once writing succeeds again, a line reports the number of dropped ones. Any goroutine may
// call its methods.
type logWriter struct {
	out   io.Writer     // used by the goroutine alone
	wake  chan struct{} // wakes the goroutine
	wrote chan struct{} // wakes flush after each write

	droppedLines atomic.Uint64 // since the start

	mu         sync.Mutex
	lines      []logEntry // the queue
	size       int        // of lines, in bytes
	busy       bool       // a line is being written
	dropped    uint64     // not yet reported
	dropReport func(dropped uint64) []byte

	live  string // to be shown below the log, on a terminal; empty: nothing
	shown string // what is shown; used by the goroutine alone
}

// logEntry is a line in the queue.
type logEntry struct {
	text     []byte
	reported uint64 // number of dropped lines that it reports; 0: an ordinary line
}

// newLogWriter starts the goroutine, which runs until the process ends.
func newLogWriter(out io.Writer) *logWriter {
	w := &logWriter{
		out: out, wake: make(chan struct{}, 1), wrote: make(chan struct{}, 1),
		dropReport: func(dropped uint64) []byte {
			return fmt.Appendf(nil, "feedgate: %d lines dropped: standard error was not read\n", dropped)
		},
	}
	go w.run()
	return w
}

// Write queues a copy of line. It never blocks and never fails.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	if w.dropped > 0 {
		w.queueReport(len(line))
	}
	if !w.queue(logEntry{text: line}) {
		w.drop()
	}
	w.mu.Unlock()
	signalTo(w.wake)
	return len(line), nil
}

// queue appends e with a copy of its text; false if the queue is full. The caller holds mu.
func (w *logWriter) queue(e logEntry) bool {
	if w.size+len(e.text) > logQueue {
		return false
	}
	e.text = bytes.Clone(e.text)
	w.lines = append(w.lines, e)
	w.size += len(e.text)
	return true
}

// queueReport appends the report of dropped lines if the queue has space for it and for a following
// line of that many bytes. The caller holds mu.
func (w *logWriter) queueReport(following int) {
	text := w.dropReport(w.dropped)
	if w.size+len(text)+following <= logQueue {
		w.queue(logEntry{text, w.dropped})
		w.dropped = 0
	}
}

// setDropReport sets the function that formats the report of dropped lines.
func (w *logWriter) setDropReport(report func(dropped uint64) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropReport = report
}

// setLive sets the line that is shown below the log until it is replaced. It must fit the terminal.
func (w *logWriter) setLive(text string) {
	w.mu.Lock()
	w.live = text
	w.mu.Unlock()
	signalTo(w.wake)
}

// clearLine moves to the beginning of the terminal's line and clears it (ECMA-48: EL).
const clearLine = "\r\x1b[K"

// showLive shows the live line if it has changed or was overwritten.
func (w *logWriter) showLive() {
	w.mu.Lock()
	live := w.live
	w.mu.Unlock()
	if live != w.shown {
		if _, err := io.WriteString(w.out, clearLine+live); err == nil {
			w.shown = live
		}
	}
}

func (w *logWriter) run() {
	failing := false
	for range w.wake {
		for e, ok := w.next(failing); ok; e, ok = w.next(failing) {
			if w.shown != "" {
				e.text, w.shown = append([]byte(clearLine), e.text...), ""
			}
			_, err := w.out.Write(e.text)
			failing = err != nil
			w.written(e, failing)
			signalTo(w.wrote)
		}
		w.showLive()
	}
}

// next removes the first line from the queue. Once the queue is empty, it returns the report of
// dropped lines, if there are any. After a failed write, the report waits for the next line.
func (w *logWriter) next(failing bool) (e logEntry, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) == 0 && w.dropped > 0 && !failing {
		w.queueReport(0)
	}
	if len(w.lines) == 0 {
		return logEntry{}, false
	}
	e = w.lines[0]
	w.lines[0] = logEntry{}
	w.lines = w.lines[1:]
	w.size -= len(e.text)
	w.busy = true
	return e, true
}

// written records the outcome of writing e. If e is a report and failed, its dropped lines are
// reported again.
func (w *logWriter) written(e logEntry, failed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = false
	switch {
	case failed && e.reported > 0:
		w.dropped += e.reported
	case failed:
		w.drop()
	}
}

// drop counts a dropped line. The caller holds mu.
func (w *logWriter) drop() {
	w.dropped++
	w.droppedLines.Add(1)
}

// flush waits until all lines are written, for at most flushTotal.
func (w *logWriter) flush() { w.flushFor(flushTotal) }

// flushFor waits until all lines are written, for at most limit.
func (w *logWriter) flushFor(limit time.Duration) {
	total := time.NewTimer(limit)
	defer total.Stop()
	for !w.idle() {
		select {
		case <-w.wrote:
		case <-time.After(flushStuck):
			return
		case <-total.C:
			return
		}
	}
}

func (w *logWriter) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.lines) == 0 && !w.busy
}

// signalTo puts a token into a channel of capacity 1, unless it holds one.
func signalTo(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
