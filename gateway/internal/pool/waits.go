package pool

import "sync/atomic"

// Waits is how many of a worker's messages are where. All others that it has not replied to
// are with the sink's handler, which has deferred them or is in a call.
type Waits struct {
	Ring  int  // in the ring to it
	Retry int  // until their next try
	Key   int  // behind a message of their key, or since its end for room with the handler
	Dead  int  // with the handler of dead letters
	Busy  bool // the worker is in a turn that has called a handler
}

// waits is what a worker shows of its messages to the loop. The worker writes a number only
// when it has changed, and busy twice in a turn, so that it costs next to nothing.
type waits struct {
	retry, key, dead atomic.Int32
	busy             atomic.Bool
}

// noteCall shows where the worker's messages are now: a handler is about to be called, and may
// not return.
func (w *Worker) noteCall() {
	if !w.waits.busy.Load() {
		w.waits.busy.Store(true)
	}
	w.noteWaits()
}

// noteEnd is noteCall after a turn.
func (w *Worker) noteEnd() {
	if w.waits.busy.Load() {
		w.waits.busy.Store(false)
	}
	w.noteWaits()
}

func (w *Worker) noteWaits() {
	if r := w.retry; r != nil {
		note(&w.waits.retry, len(r.due))
		note(&w.waits.key, r.queued+r.turns)
	}
	if w.dead != nil {
		note(&w.waits.dead, w.dead.pending.count+w.dead.calling)
	}
}

func note(shown *atomic.Int32, n int) {
	if int(shown.Load()) != n {
		shown.Store(int32(n))
	}
}

// Waits is where the worker's messages are, as of its last turn or call of a handler. Loop
// only.
func (w *Worker) Waits() Waits {
	return Waits{
		Ring: w.in.Messages(), Retry: int(w.waits.retry.Load()), Key: int(w.waits.key.Load()),
		Dead: int(w.waits.dead.Load()), Busy: w.waits.busy.Load(),
	}
}
