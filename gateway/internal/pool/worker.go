package pool

import (
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"feedgate/ring"
	"feedgate/worker"
	"feedgate/worker/histogram"
	"feedgate/worker/selector"
)

// ReplyBytes is the size of the reply ring, in bytes for each entry of Config.Ring: a record for
// consecutive slots without an ack, or with a short one.
const ReplyBytes = 32

// Worker is one goroutine with its rings. The loop writes in, reads out and calls Wake. The worker
// owns everything else, except where a comment says otherwise.
type Worker struct {
	id       int
	pool     *Pool
	slabs    *Slabs
	render   func(dst []byte, m worker.Message, code worker.Code) []byte
	log      *slog.Logger
	events   *ring.EventCount
	wakeLoop func()
	now      func() time.Duration

	in  *Inbox      // loop -> worker
	out *ring.Bytes // worker -> loop

	main      *handlerState // of the sink
	dead      *handlerState // of dead letters; nil: none
	retry     *retrier      // nil: nothing is tried again
	maxIDSpan int           // limit of pendingTable.span
	length    length        // of the next batch
	rest      []run         // runs of a batch, except the first
	costly    bool          // the handler's calls in the last handleNew took at least collectWorth on average
	progress  progress
	pace      pace
	holdBack  bool               // of Config
	key       *selector.Selector // of Config
	nextReply nextReply
	freed     struct {
		slab uint16
		n    int
	} // references to give back
	records     int    // replies committed since the last signal
	mustPublish bool   // there is something to publish, or the loop may wait for the worker to publish
	scratch     []byte // rendered ack
	replySize   int    // of the reply that waits for space in out, with its ack, in bytes

	// Arguments of park: w.ready and w.canReply. A method value allocates, so they are made
	// once.
	readyFunc, canReplyFunc func() bool

	// Shared with the loop.
	parked   atomic.Bool
	token    chan struct{} // one for each time that parked was reset by another goroutine
	draining atomic.Bool
	flush    flushing
	answered answer
	// awaitsReplySpace: the worker is parked, or about to park, until out has space.
	awaitsReplySpace atomic.Bool
	longAcks         longAcks
	callTimes        histogram.Durations
	retries          atomic.Uint64
	waits            waits

	bits []uint64 // memory for the Bits of a Reply; the loop owns it
}

func newWorker(id int, cfg *Config, p *Pool) *Worker {
	w := &Worker{
		id: id, pool: p, slabs: cfg.Slabs, render: cfg.Render, log: cfg.Log,
		events: cfg.Events, wakeLoop: cfg.Wake, now: cfg.Now,
		in:    newInbox(cfg.Ring),
		out:   ring.NewBytes(max(cfg.Ring*ReplyBytes, minReplyRing)),
		token: make(chan struct{}, 1),
		bits:  make([]uint64, replySlots/64),
	}
	if w.log == nil {
		w.log = slog.Default()
	}
	if w.now == nil {
		start := time.Now()
		w.now = func() time.Duration { return time.Since(start) }
	}
	w.longAcks.init()
	w.maxIDSpan = cfg.InFlight
	w.key = cfg.Key
	w.main = newHandlerState(w, w.handled, w.again)
	if cfg.Output != nil {
		w.main.rendered = newRendered(cfg.Output, cfg.OutputMemory)
	}
	if cfg.DeadLetters != nil {
		w.dead = newHandlerState(w, w.deadLettered, w.deadLetterAgain)
	}
	if cfg.Retries > 0 {
		w.retry = newRetrier(w, cfg)
	}
	w.pace.init(cfg.DrainSpan)
	w.progress.stride = 1
	w.holdBack = cfg.HoldBack
	w.readyFunc, w.canReplyFunc = w.ready, w.canReply
	return w
}

// In returns the ring of descriptors to this worker. Its producer is the loop.
func (w *Worker) In() *Inbox { return w.in }

// Out returns the ring of replies. Its consumer is the loop, which then calls ReleaseReplies.
func (w *Worker) Out() *ring.Bytes { return w.out }

// CallTimes returns how long the calls of the handler took. Any goroutine may call it.
func (w *Worker) CallTimes() histogram.Snapshot { return w.callTimes.Snapshot() }

// Retries returns how often a message was given to the handler again. Any goroutine may call it.
func (w *Worker) Retries() uint64 { return w.retries.Load() }

// Wake wakes the worker if it is parked. Any goroutine may call it, after it has published the
// reason.
func (w *Worker) Wake() {
	if w.parked.Load() && w.parked.CompareAndSwap(true, false) {
		w.token <- struct{}{}
	}
}

// park blocks until Wake, unless ready returns true. The worker sets parked and then calls ready; a
// waker publishes and then reads parked. In whichever order these happen, one of the two sees the
// other's write.
func (w *Worker) park(ready func() bool) {
	w.parked.Store(true)
	if ready() && w.parked.CompareAndSwap(true, false) {
		return
	}
	<-w.token
}

// stopping reports whether the pool was stopped.
func (w *Worker) stopping() bool {
	select {
	case <-w.pool.ctx.Done():
		return true
	default:
		return false
	}
}

// yieldTime is how long a worker runs until it lets other goroutines run. Go would preempt it after 10
// ms. With more workers than CPUs, a worker that waits for one has the oldest messages, and the window
// fills behind them.
const yieldTime = 2 * time.Millisecond

// run is the worker's goroutine.
func (w *Worker) run() {
	began := w.now() // since when it runs
	for !w.stopping() {
		if w.turn() {
			if w.now()-began >= yieldTime {
				runtime.Gosched()
				began = w.now()
			}
			continue
		}
		w.callFlush()
		w.armLook()
		w.park(w.readyFunc)
		began = w.now()
	}
	w.pace.stop()
	if w.retry != nil {
		w.retry.stop()
	}
}

// ready reports whether there is something to do. It is the second check before parking.
func (w *Worker) ready() bool {
	return !w.in.empty() && w.newLimit() > 0 || !w.main.completer.ring.Empty() || w.stopping() ||
		w.dead != nil && !w.dead.completer.ring.Empty() ||
		w.retry != nil && w.canRetry() && (!w.retry.ready.empty() || w.retry.dueNow()) ||
		w.draining.Load() && w.canDrain() || w.mayLook() || w.mayFlush() || w.asks()
}

// turn does what there is to do now, up to one batch of each kind, and publishes once. It returns
// false if there was nothing.
func (w *Worker) turn() bool {
	busy := w.answer()
	busy = w.main.takeCompletions() || busy
	w.pace.deferred = w.pace.replied
	if w.dead != nil {
		busy = w.dead.takeCompletions() || busy
	}
	if w.retry != nil {
		busy = w.retry.turn() || busy
	}
	busy = w.handleNew() || busy
	if w.draining.Load() {
		busy = w.drainHandlers() || busy
	}
	w.checkPending()
	busy = busy || w.widen()
	if busy {
		w.keepPace()
		w.noteEnd()
		w.publish()
	}
	return busy
}
