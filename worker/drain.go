package worker

// endHandler tells the handler, once, that nothing will come any more. What it was not
// given is given back before, where the pool holds back; a message that waits for another
// try or for its key will still come, unless the handler waits for this to complete any.
func (w *Worker) endHandler() bool {
	busy := false
	if w.holdBack {
		busy = w.giveBack()
	}
	if w.in.empty() && (w.retry == nil || w.retry.idle() || w.silent()) {
		busy = w.main.drain() || busy
	}
	return busy
}

// mayEnd reports, just before parking, whether endHandler has something to do.
func (w *Worker) mayEnd() bool {
	if !w.in.empty() {
		return w.holdBack
	}
	return !w.main.drained && (w.retry == nil || w.retry.idle() || w.silent())
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

// silent reports whether the handler has deferred messages and completed none of them for
// drainSilence.
func (w *Worker) silent() bool {
	return w.main.open.count > 0 && !w.now().Before(w.pace.since.Add(drainSilence))
}
