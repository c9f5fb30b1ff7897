package pool

// endHandler tells the handlers, once, that nothing will come any more. What the sink's was not
// given is given back before, where the pool holds back; a message that waits for another
// try or for its key will still come, unless a handler waits for this to complete any.
func (w *Worker) endHandler() bool {
	busy := false
	if w.holdBack {
		busy = w.giveBack()
	}
	if w.in.empty() && w.mainEnds() {
		busy = w.main.drain() || busy
	}
	if w.in.empty() && w.deadEnds() {
		busy = w.dead.drain() || busy
	}
	return busy
}

// mayEnd reports, just before parking, whether endHandler has something to do.
func (w *Worker) mayEnd() bool {
	if !w.in.empty() {
		return w.holdBack
	}
	return !w.main.drained && w.mainEnds() || w.deadEnds() && !w.dead.drained
}

// mainEnds reports whether nothing more comes to the sink's handler, once the ring is empty.
func (w *Worker) mainEnds() bool {
	return w.retry == nil || w.retry.idle() || w.silent(w.main)
}

// deadEnds is mainEnds for dead letters, which come from the sink's handler; false if there is
// no handler of them.
func (w *Worker) deadEnds() bool {
	if w.dead == nil {
		return false
	}
	return w.main.drained && w.main.pending.count == 0 && (w.retry == nil || w.retry.idle()) || w.silent(w.dead)
}

// giveBack replies that all messages which no handler had are returned.
func (w *Worker) giveBack() bool {
	busy := false
	for r := w.in.next(batchMax); len(r.spans) > 0; r = w.in.next(batchMax) {
		w.reply(r, Returned)
		busy = true
	}
	if w.retry != nil && w.retry.queued > 0 {
		w.retry.giveBack()
		busy = true
	}
	return busy
}

// silent reports whether the handlerState has deferred messages and the worker has finished none for
// drainSilence.
func (w *Worker) silent(s *handlerState) bool {
	return s.pending.count > 0 && w.now() >= w.pace.since+drainSilence
}

// awaitsSilence reports whether silent may come true for a handler that is not drained.
func (w *Worker) awaitsSilence() bool {
	return !w.main.drained && w.main.pending.count > 0 ||
		w.dead != nil && !w.dead.drained && w.dead.pending.count > 0
}
