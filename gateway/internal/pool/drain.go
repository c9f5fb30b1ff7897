package pool

// drainHandlers calls Drain of each handler, once, when it gets no more new messages. With
// Config.HoldBack, messages that the sink's handler has not got yet are returned first. While
// messages wait for another try or for their key, Drain is called only if the handler stalls, since
// it may be waiting for Drain.
func (w *Worker) drainHandlers() bool {
	busy := false
	if w.holdBack {
		busy = w.returnAll()
	}
	if w.in.empty() && w.mainCanDrain() {
		busy = w.main.drain() || busy
	}
	if w.in.empty() && w.deadCanDrain() {
		busy = w.dead.drain() || busy
	}
	return busy
}

// canDrain reports, just before parking, whether drainHandlers has something to do.
func (w *Worker) canDrain() bool {
	if !w.in.empty() {
		return w.holdBack
	}
	return !w.main.drained && w.mainCanDrain() || w.deadCanDrain() && !w.dead.drained
}

// mainCanDrain reports whether the ring is all that Drain of the sink's handler must wait for.
func (w *Worker) mainCanDrain() bool {
	return w.retry == nil || w.retry.idle() || w.stalled(w.main)
}

// deadCanDrain is mainCanDrain for the handler of dead letters, which the sink's handler produces.
// It is false if there is none.
func (w *Worker) deadCanDrain() bool {
	if w.dead == nil {
		return false
	}
	return w.main.drained && w.main.pending.count == 0 && (w.retry == nil || w.retry.idle()) || w.stalled(w.dead)
}

// returnAll replies to all messages that no handler has had as Returned. It returns false if there
// are none.
func (w *Worker) returnAll() bool {
	busy := false
	for r := w.in.next(batchMax); len(r.spans) > 0; r = w.in.next(batchMax) {
		w.reply(r, Returned)
		busy = true
	}
	if w.retry != nil && w.retry.queued > 0 {
		w.retry.returnAll()
		busy = true
	}
	return busy
}

// stalled reports whether the handler has pending messages and the worker has replied to none for
// drainStall.
func (w *Worker) stalled(s *handlerState) bool {
	return s.pending.count > 0 && w.now() >= w.pace.since+drainStall
}

// mayStall reports whether a handler that is not drained could become stalled.
func (w *Worker) mayStall() bool {
	return !w.main.drained && w.main.pending.count > 0 ||
		w.dead != nil && !w.dead.drained && w.dead.pending.count > 0
}
