package worker

import "sync/atomic"

// Flusher is a [Handler] that may wait for more messages before it does anything with those
// that it has deferred. It must not when none will come until it has completed some.
type Flusher interface {
	// Flush is called on the worker's goroutine when the handler has deferred messages and
	// gets no more before some are completed: it has as many as it may have, or the gateway
	// has stopped reading. It does not wait. A later Handle cancels it.
	Flush()
}

// flushing is what a worker needs to call Flush.
type flushing struct {
	handler Flusher     // nil: it never waits for more
	called  bool        // since the last Handle
	blocked atomic.Bool // the loop has stopped reading
}

// SetBlocked notes whether the loop has stopped reading until messages are completed. Loop
// only.
func (w *Worker) SetBlocked(blocked bool) {
	if w.flush.handler == nil || w.flush.blocked.Load() == blocked {
		return
	}
	w.flush.blocked.Store(blocked)
	if blocked {
		w.Wake()
	}
}

// tellFlusher calls Flush if it is due and was not called since the last Handle.
func (w *Worker) tellFlusher() {
	if w.mayFlush() {
		w.flush.called = true
		w.flush.handler.Flush()
	}
}

// mayFlush reports, just before parking, whether Flush is due.
func (w *Worker) mayFlush() bool {
	if w.flush.handler == nil || w.flush.called || w.main.open.count == 0 {
		return false
	}
	return w.room() == 0 || w.in.empty() && w.flush.blocked.Load()
}
