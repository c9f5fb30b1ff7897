package pool

import "fmt"

// The handlers of the sink and of dead letters together have at most as many messages pending as
// the ring has words. So if a sink is behind, its ring fills, and the loop gives messages to other
// workers. Only a drain adds the messages in the ring, because the handler may wait for Drain
// before it resolves any. Hence at most twice as many are pending, for which the rings of
// completions have space.
//
// This cannot block permanently. If a handler waits for Flush, that is called when it may get no more
// messages (flushDue). If it waits for Drain, that is called when it has stalled for drainStall
// (stalled).

// deadPending returns how many messages of the handler of dead letters are pending.
func (w *Worker) deadPending() int {
	if w.dead == nil {
		return 0
	}
	return w.dead.pending.count
}

// allPending returns how many messages are pending.
func (w *Worker) allPending() int { return w.main.pending.count + w.deadPending() }

// capacity returns how many messages of the sink's handler may be pending.
func (w *Worker) capacity() int { return w.in.Cap() - w.deadPending() }

// retryLimit returns how many messages from the retrier the sink's handler may get in a batch now.
// It also applies in a drain.
func (w *Worker) retryLimit() int {
	if w.renderedFull() {
		return 0
	}
	return max(0, min(w.length.limit(), w.capacity()-w.main.pending.count, w.maxIDSpan-w.main.pending.span()))
}

// canRetry reports whether the sink's handler may get a message from the retrier now.
func (w *Worker) canRetry() bool { return w.retryLimit() > 0 }

// newLimit returns how many messages from the ring the sink's handler may get now. A drain gives it
// all of them or, with Config.HoldBack, none.
func (w *Worker) newLimit() int {
	if w.renderedFull() {
		return 0
	}
	free := w.capacity() - w.main.pending.count
	switch {
	case w.draining.Load() && w.holdBack:
		return 0
	case w.draining.Load():
		return batchMax
	case w.holdBack:
		free = int(min(int64(w.capacity()), w.pace.quota)) - w.quotaUsed()
	}
	return max(0, min(free, w.maxIDSpan-w.main.pending.span()))
}

// checkPending panics if more messages are pending than the rings of completions have space for.
func (w *Worker) checkPending() {
	if n, most := w.allPending(), completionsEach*w.in.Cap(); n > most {
		panic(fmt.Sprintf("pool: %d messages pending, at most %d may be", n, most))
	}
}
