package pool

import (
	"time"

	"feedgate/worker"
)

// handled takes messages that the sink's handler is done with: those that are done are
// acked, failed ones are retried, dead-lettered or refused.
func (w *Worker) handled(r run, code worker.Code) {
	if !code.ForHandlers() {
		code = worker.Refused
	}
	if code == worker.OK || w.retry == nil && w.dead == nil {
		w.finish(r, code)
		return
	}
	for len(r.spans) > 0 {
		one := r.cut(1)
		switch {
		case w.retry != nil && w.retry.again(one):
		case w.dead != nil:
			w.dead.handle(one)
		default:
			w.finish(one, code)
		}
	}
}

// again takes messages that the sink's handler asks for again after some time. It does not count as
// a try.
func (w *Worker) again(r run, after time.Duration) {
	if w.retry == nil {
		w.retry = newRetrier(w, &Config{Key: w.key})
		w.retry.lazy = true
	}
	for len(r.spans) > 0 {
		w.retry.askedAgain(r.cut(1), after)
	}
}

// deadLetterFailed takes dead letters whose handler asks for them again: they are refused.
func (w *Worker) deadLetterFailed(r run, _ time.Duration) { w.finish(r, worker.Refused) }

// deadLettered takes dead letters that are on disk.
func (w *Worker) deadLettered(r run, code worker.Code) {
	if code == worker.OK {
		code = worker.DeadLettered
	}
	w.finish(r, code)
}

// finish replies to messages that are done or refused and gives up their data.
func (w *Worker) finish(r run, code worker.Code) {
	w.pace.done += len(r.spans)
	if w.retry != nil {
		w.retry.through(r)
	}
	w.reply(r, code)
}

// reply replies to messages and gives up their data.
func (w *Worker) reply(r run, code worker.Code) {
	if w.render != nil {
		w.replyRendered(r, code)
	} else {
		w.extend(r.first.Slot, uint32(len(r.spans)), code)
	}
	w.free(r.first.Slab, len(r.spans))
}
