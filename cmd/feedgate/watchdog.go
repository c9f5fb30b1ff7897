package main

import (
	"sync"
	"time"

	"feedgate/cmd/feedgate/cli"
)

const (
	// startGrace is the time for a starting command to end by itself after the first signal.
	startGrace = 300 * time.Millisecond
	// hurryGrace is the time for the process to end by itself after the second signal, or after the
	// time of a drain is over. It is stopGrace plus flushTotal.
	hurryGrace = 900 * time.Millisecond
)

// watchdog ends the process if it does not end by itself in time, for example because a read from a
// file on a dead server, or from a FIFO without a writer, does not return. It runs on timers and
// calls nothing that such a read blocks. Any goroutine may call its methods; those that run needs do
// nothing on a nil watchdog.
type watchdog struct {
	exit func(code int) // ends the process

	mu       sync.Mutex
	starting bool                       // no message has been received: there is nothing to drain
	stopping bool                       // the first signal has arrived
	hurried  bool                       // hurry was called
	off      bool                       // the command has returned, or the watchdog ends the process
	last     func(code int, why string) // writes the last lines
}

// newWatchdog returns the watchdog of a process that is starting.
func newWatchdog(exit func(code int), last func(code int, why string)) *watchdog {
	return &watchdog{exit: exit, starting: true, last: last}
}

// setLast replaces the function that writes the last lines.
func (w *watchdog) setLast(last func(code int, why string)) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = last
}

// setStarting sets whether the process is starting: then startGrace begins at the first signal.
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

// firstSignal records the first signal.
func (w *watchdog) firstSignal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopping = true
	time.AfterFunc(startGrace, w.endStart)
}

// hurry records the second signal, or the end of the time for a drain. hurryGrace begins.
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

// stop turns the watchdog off, because the command has returned.
func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.off = true
}

// endStart ends the process if it is still starting.
func (w *watchdog) endStart() {
	w.mu.Lock()
	due, code := w.starting, cli.ExitOK
	if w.hurried {
		code = cli.ExitFailure
	}
	w.mu.Unlock()
	if due {
		w.end(code, "stopped by a signal during the start, which waited for a file, a name server or a program")
	}
}

func (w *watchdog) endHurry() {
	w.end(cli.ExitFailure, "ended at once: a handler, a sink or a file did not return in time")
}

// end writes the last lines and ends the process, unless the watchdog is off.
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
