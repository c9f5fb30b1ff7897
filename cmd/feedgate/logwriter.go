package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// logQueue is how many bytes may wait for a slow reader of standard error.
	logQueue = 256 << 10
	// flush gives up after flushStuck without progress, and after flushTotal in all.
	flushStuck = 200 * time.Millisecond
	flushTotal = 300 * time.Millisecond
)

// logWriter writes standard error without waiting for its reader. Write queues a line and
// returns at once; a goroutine writes it. Lines that find the queue full, or cannot be
// written, are dropped; once writing works again, a line reports how many. Any goroutine may
// call its methods.
type logWriter struct {
	out   io.Writer // the goroutine's
	wake  chan struct{}
	wrote chan struct{} // after each write, for flush

	mu     sync.Mutex
	lines  []logEntry
	size   int    // bytes of lines
	busy   bool   // a line is being written
	missed uint64 // dropped since the last note
	note   func(missed uint64) []byte
}

// logEntry is a line in the queue.
type logEntry struct {
	text  []byte
	noted uint64 // how many dropped lines it reports; 0: it is an ordinary line
}

// newLogWriter starts the goroutine, which lives as long as the process.
func newLogWriter(out io.Writer) *logWriter {
	w := &logWriter{
		out: out, wake: make(chan struct{}, 1), wrote: make(chan struct{}, 1),
		note: func(missed uint64) []byte {
			return fmt.Appendf(nil, "feedgate: %d lines dropped: standard error was not read\n", missed)
		},
	}
	go w.run()
	return w
}

// Write queues a copy of line. It never blocks and never fails.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	if w.missed > 0 {
		w.queueNote(len(line))
	}
	if !w.queue(logEntry{text: line}) {
		w.missed++
	}
	w.mu.Unlock()
	signalTo(w.wake)
	return len(line), nil
}

// queue appends e, with a copy of its text, if there is room. mu is held.
func (w *logWriter) queue(e logEntry) bool {
	if w.size+len(e.text) > logQueue {
		return false
	}
	e.text = bytes.Clone(e.text)
	w.lines = append(w.lines, e)
	w.size += len(e.text)
	return true
}

// queueNote appends the line about dropped lines, if it and the following bytes have room.
// mu is held.
func (w *logWriter) queueNote(following int) {
	text := w.note(w.missed)
	if w.size+len(text)+following <= logQueue {
		w.queue(logEntry{text, w.missed})
		w.missed = 0
	}
}

// setNote sets how the number of dropped lines is written.
func (w *logWriter) setNote(note func(missed uint64) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note = note
}

func (w *logWriter) run() {
	failing := false
	for range w.wake {
		for e, ok := w.next(failing); ok; e, ok = w.next(failing) {
			_, err := w.out.Write(e.text)
			failing = err != nil
			w.written(e, failing)
			signalTo(w.wrote)
		}
	}
}

// next takes the first line; after the last one, the line about dropped lines. While
// writing fails, that one waits for the next line, which is the next try.
func (w *logWriter) next(failing bool) (e logEntry, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) == 0 && w.missed > 0 && !failing {
		w.queueNote(0)
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

// written records the outcome of writing e. The dropped lines that a failed e reported are
// reported again.
func (w *logWriter) written(e logEntry, failed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = false
	switch {
	case failed && e.noted > 0:
		w.missed += e.noted
	case failed:
		w.missed++
	}
}

// flush waits until everything is written, at most flushTotal.
func (w *logWriter) flush() { w.flushFor(flushTotal) }

// flushFor waits until everything is written, at most for limit.
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

// signalTo leaves a token in a channel that has room for one.
func signalTo(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
