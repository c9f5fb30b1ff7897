package pool

import "fmt"

// The messages that are deferred at once are at most as many as the ring has words, by the
// sink's handler and that of dead letters together: a sink that is behind fills its ring, and the
// loop passes it over. Only a drain adds what is left in the ring, for the handler may complete
// nothing before. So there are never more than twice as many, which is what the rings of
// completions have room for.
//
// That blocks nothing for good. A handler that completes nothing before Flush is called has it
// called when it may have no more, see flushDue; one that completes nothing before Drain has it
// called drainSilence after it has stopped completing, see silent.

// deadDeferred is how many messages the handler of dead letters has deferred.
func (w *Worker) deadDeferred() int {
	if w.dead == nil {
		return 0
	}
	return w.dead.pending.count
}

// deferred is how many messages are deferred.
func (w *Worker) deferred() int { return w.main.pending.count + w.deadDeferred() }

// capacity is how many messages the sink's handler may have deferred.
func (w *Worker) capacity() int { return w.in.Cap() - w.deadDeferred() }

// retryRoom is how many messages that were tried before, or have waited for their key, the sink's
// handler may have in a batch now. The bound holds in a drain, too.
func (w *Worker) retryRoom() int {
	if w.full() {
		return 0
	}
	return max(0, min(w.length.limit(), w.capacity()-w.main.pending.count, w.tickets-w.main.pending.span()))
}

// vacant reports whether it may have such a message.
func (w *Worker) vacant() bool { return w.retryRoom() > 0 }

// room is how many messages from the ring the sink's handler may have now. A drain gives it all, or,
// where the pool holds back, none.
func (w *Worker) room() int {
	if w.full() {
		return 0
	}
	free := w.capacity() - w.main.pending.count
	switch {
	case w.draining.Load() && w.holdBack:
		return 0
	case w.draining.Load():
		return batchMax
	case w.holdBack:
		free = int(min(int64(w.capacity()), w.pace.quota)) - w.admitted()
	}
	return max(0, min(free, w.tickets-w.main.pending.span()))
}

// checkDeferred checks the bound.
func (w *Worker) checkDeferred() {
	if n, most := w.deferred(), completionsEach*w.in.Cap(); n > most {
		panic(fmt.Sprintf("worker: %d messages deferred, at most %d may be", n, most))
	}
}
