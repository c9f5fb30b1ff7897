package pool

import "sync/atomic"

// flushing is what a worker needs to call the hook Flush of its stages.
type flushing struct {
	wanted  bool        // a handlerState has the hook
	blocked atomic.Bool // the loop has stopped reading
}

// SetBlocked notes whether the loop has stopped reading until messages are completed. Loop
// only.
func (w *Worker) SetBlocked(blocked bool) {
	if !w.flush.wanted || w.flush.blocked.Load() == blocked {
		return
	}
	w.flush.blocked.Store(blocked)
	if blocked {
		w.Wake()
	}
}

// callFlush calls Flush where it is due and was not called since the handlerState's last Handle.
func (w *Worker) callFlush() {
	for _, s := range [...]*handlerState{w.main, w.dead} {
		if w.flushDue(s) {
			s.flushed = true
			s.completer.hooks.Flush()
		}
	}
}

// mayFlush reports, just before parking, whether Flush is due somewhere.
func (w *Worker) mayFlush() bool {
	return w.flushDue(w.main) || w.flushDue(w.dead)
}

func (w *Worker) flushDue(s *handlerState) bool {
	if s == nil || s.completer.hooks.Flush == nil || s.flushed || s.pending.count == 0 {
		return false
	}
	return w.room() == 0 || !w.vacant() || w.in.empty() && w.flush.blocked.Load()
}
