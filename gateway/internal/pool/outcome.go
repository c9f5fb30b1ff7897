package pool

import (
	"time"

	"feedgate/worker"
)

// handled decides what becomes of messages that the sink's handler has resolved: done ones are
// replied to; refused ones are tried again, dead-lettered, or replied to.
func (w *Worker) handled(r run, code worker.Code) {
	if !code.ForHandlers() {
		code = worker.Refused
	}
	if code == worker.OK || w.retry == nil && w.dead == nil {
		w.replyFinal(r, code)
		return
	}
	for len(r.spans) > 0 {
		one := r.cut(1)
		switch {
		case w.retry != nil && w.retry.again(one):
		case w.dead != nil:
			w.dead.handle(one)
		default:
			w.replyFinal(one, code)
		}
	}
}

// again schedules messages that the sink's handler asks for again after some time. That does not
// count as a try.
func (w *Worker) again(r run, after time.Duration) {
	if w.retry == nil {
		w.retry = newRetrier(w, &Config{Key: w.key})
		w.retry.lazy = true
	}
	for len(r.spans) > 0 {
		w.retry.askedAgain(r.cut(1), after)
	}
}

// deadLetterAgain refuses dead letters that their handler asks for again.
func (w *Worker) deadLetterAgain(r run, _ time.Duration) { w.replyFinal(r, worker.Refused) }

// deadLettered replies to dead letters that their handler has resolved.
func (w *Worker) deadLettered(r run, code worker.Code) {
	if code == worker.OK {
		code = worker.DeadLettered
	}
	w.replyFinal(r, code)
}

// replyFinal replies to messages that are done or refused with no try left, and releases their keys and
// slabs.
func (w *Worker) replyFinal(r run, code worker.Code) {
	w.pace.replied += len(r.spans)
	if w.retry != nil {
		w.retry.replied(r)
	}
	w.reply(r, code)
}

// reply replies to messages and releases their slabs.
func (w *Worker) reply(r run, code worker.Code) {
	if w.render != nil {
		w.replyRendered(r, code)
	} else {
		w.extend(&r, code)
	}
	w.free(r.base.Slab, len(r.spans))
}
