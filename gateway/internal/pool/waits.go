package pool

import "sync/atomic"

// Waits counts a worker's messages by place. All others that it has not replied to are with the
// sink's handler: pending, or in a call of Handle.
type Waits struct {
	Ring  int  // in the ring to it
	Retry int  // waiting for their next try
	Key   int  // waiting for their key, or ready to be handled since they hold it
	Dead  int  // with the handler of dead letters
	Busy  bool // the worker is in a turn that has called a handler
}

// waits publishes the counts of a worker to the loop. The worker writes a count only when it has
// changed, and busy twice a turn, so the cost is small.
type waits struct {
	retry, key, dead atomic.Int32
	busy             atomic.Bool
}

// noteCall updates waits before the call of a handler, which may hang.
func (w *Worker) noteCall() {
	if !w.waits.busy.Load() {
		w.waits.busy.Store(true)
	}
	w.noteWaits()
}

// noteEnd updates waits after a turn.
func (w *Worker) noteEnd() {
	if w.waits.busy.Load() {
		w.waits.busy.Store(false)
	}
	w.noteWaits()
}

func (w *Worker) noteWaits() {
	if r := w.retry; r != nil {
		note(&w.waits.retry, len(r.due))
		note(&w.waits.key, r.queued+r.readyCount)
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

// Waits returns where the worker's messages are, as of its last turn or call of a handler. Loop
// only.
func (w *Worker) Waits() Waits {
	return Waits{
		Ring: w.in.Messages(), Retry: int(w.waits.retry.Load()), Key: int(w.waits.key.Load()),
		Dead: int(w.waits.dead.Load()), Busy: w.waits.busy.Load(),
	}
}
