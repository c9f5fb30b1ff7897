package pool

import "sync/atomic"

// flushing decides when a worker calls the hook Flush of its handlers.
type flushing struct {
	wanted  bool        // a handler has the hook
	blocked atomic.Bool // the loop has stopped reading
}

// SetBlocked sets whether the loop has stopped reading until messages are resolved. Loop only.
func (w *Worker) SetBlocked(blocked bool) {
	if !w.flush.wanted || w.flush.blocked.Load() == blocked {
		return
	}
	w.flush.blocked.Store(blocked)
	if blocked {
		w.Wake()
	}
}

// callFlush calls Flush of each handler where it is due.
func (w *Worker) callFlush() {
	for _, s := range [...]*handlerState{w.main, w.dead} {
		if w.flushDue(s) {
			s.flushed = true
			s.guard(s.completer.hooks.Flush)
		}
	}
}

// mayFlush reports, just before parking, whether Flush of a handler is due.
func (w *Worker) mayFlush() bool {
	return w.flushDue(w.main) || w.flushDue(w.dead)
}

// flushDue reports whether to call Flush of a handler: it has pending messages, no more can arrive
// until some are resolved, and Flush was not called since its last Handle.
func (w *Worker) flushDue(s *handlerState) bool {
	if s == nil || s.completer.hooks.Flush == nil || s.flushed || s.pending.count == 0 {
		return false
	}
	waitsForKeys := w.retry != nil && w.retry.queued > 0 // the others may be all that arrive
	return w.newLimit() == 0 || !w.canRetry() || w.in.empty() && (waitsForKeys || w.flush.blocked.Load())
}
