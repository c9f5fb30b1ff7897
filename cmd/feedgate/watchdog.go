package main

import (
	"sync"
	"time"

	"feedgate/cmd/feedgate/cli"
)

const (
	// startGrace is how long a start has to notice the first signal by itself.
	startGrace = 300 * time.Millisecond
	// hurryGrace is how long everything has to end after the second signal, or once the
	// time for a drain is over. stopGrace and flushTotal fit into it.
	hurryGrace = 900 * time.Millisecond
)

// watchdog ends a process that does not end by itself in time, as when a read of a file on
// a dead server or of a FIFO without a writer does not return. It is its own goroutine, and
// calls nothing that such a read can hold up. Any goroutine may call its methods; a nil
// watchdog does nothing.
type watchdog struct {
	exit func(code int) // ends the process

	mu       sync.Mutex
	starting bool // nothing has been received that a drain would have to finish
	stopping bool // after the first signal
	hurried  bool
	off      bool                       // the command has returned, or the process is being ended
	last     func(code int, why string) // writes the last lines
}

// newWatchdog makes one for a process that has just been started.
func newWatchdog(exit func(code int), last func(code int, why string)) *watchdog {
	return &watchdog{exit: exit, starting: true, last: last}
}

// setLast replaces what writes the last line.
func (w *watchdog) setLast(last func(code int, why string)) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = last
}

// setStarting sets whether the first signal ends the process even if the command does not.
func (w *watchdog) setStarting(starting bool) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.starting = starting
	if starting && w.stopping {
		time.AfterFunc(startGrace, w.endStart)
	}
}

// signalled is the first signal.
func (w *watchdog) signalled() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopping = true
	time.AfterFunc(startGrace, w.endStart)
}

// hurry is the second signal, or the end of the time for a drain.
func (w *watchdog) hurry() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.hurried {
		w.hurried = true
		time.AfterFunc(hurryGrace, w.endHurry)
	}
}

// stop ends the watch: the command has returned.
func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.off = true
}

func (w *watchdog) endStart() {
	w.mu.Lock()
	due, code := w.starting, cli.ExitOK
	if w.hurried {
		code = cli.ExitFailure
	}
	w.mu.Unlock()
	if due {
		w.end(code, "stopped by a signal during the start, which a file, a name server or a program holds up")
	}
}

func (w *watchdog) endHurry() {
	w.end(cli.ExitFailure, "ended at once: a handler, a sink or a file did not return in time")
}

// end ends the process, once, unless the watch is over.
func (w *watchdog) end(code int, why string) {
	w.mu.Lock()
	due, last := !w.off, w.last
	w.off = true
	w.mu.Unlock()
	if due {
		last(code, why)
		w.exit(code)
	}
}
