package pool

import (
	"log/slog"
	"sync/atomic"
	"time"

	"feedgate/ring"
	"feedgate/worker"
	"feedgate/worker/selector"
)

// ReplyBytes is the room in the reply ring for each of its entries: a record
// without an ack, or with a short one.
const ReplyBytes = 32

// Worker is one goroutine with its rings. The loop writes in, reads out and calls
// Wake; everything else is the worker's own.
type Worker struct {
	id       int
	pool     *Pool
	slabs    *Slabs
	render   func(dst []byte, m worker.Message, code worker.Code) []byte
	log      *slog.Logger
	bell     *ring.Bell
	wakeLoop func()
	now      func() time.Duration

	in  *Inbox      // loop -> worker
	out *ring.Bytes // worker -> loop

	// Worker's.
	main     *handlerState
	dead     *handlerState // takes dead letters; nil: none
	retry    *retrier      // nil: nothing is tried again
	tickets  int           // from the oldest open ID to the newest at most
	length   length        // of the next batch
	rest     []run         // of a batch, the runs behind the first
	costly   bool          // each of takeNew's last calls of the handler took gatherWorth or longer, on average
	progress progress
	pace     pace
	holdBack bool               // of Config
	key      *selector.Selector // of Config
	finished Reply              // run of finished messages that is not in the ring yet
	freed    struct {
		slab uint16
		n    int
	} // references to give back
	records int    // replies committed and not rung for
	took    bool   // descriptors taken, or data given up, since the last publish
	scratch []byte // rendered ack
	wants   int    // bytes of the reply that waits for room

	// What park asks; made once, for a method value is an allocation.
	hasWork, hasRoom func() bool

	// Shared: the loop's side of the wake-up.
	parked   atomic.Bool
	token    chan struct{} // one for each time that parked was taken away
	draining atomic.Bool
	flush    flushing
	answered answer
	// wantsRoom: it is parked, or about to, until there is room in out.
	wantsRoom atomic.Bool
	aside     longAcks
	waits     waits
}

func newWorker(id int, cfg *Config, p *Pool) *Worker {
	w := &Worker{
		id: id, pool: p, slabs: cfg.Slabs, render: cfg.Render, log: cfg.Log,
		bell: cfg.Bell, wakeLoop: cfg.Wake, now: cfg.Now,
		in:    newInbox(cfg.Ring),
		out:   ring.NewBytes(max(cfg.Ring*ReplyBytes, minReplyRing)),
		token: make(chan struct{}, 1),
	}
	if w.log == nil {
		w.log = slog.Default()
	}
	if w.now == nil {
		start := time.Now()
		w.now = func() time.Duration { return time.Since(start) }
	}
	w.aside.init()
	w.tickets = cfg.InFlight
	w.key = cfg.Key
	w.main = newHandlerState(w, w.handled, w.again)
	if cfg.Output != nil {
		w.main.rendered = newRendered(cfg.Output, cfg.OutputMemory)
	}
	if cfg.DeadLetters != nil {
		w.dead = newHandlerState(w, w.deadLettered, w.deadLetterFailed)
	}
	if cfg.Retries > 0 {
		w.retry = newRetrier(w, cfg)
	}
	w.pace.init(cfg.DrainSpan)
	w.progress.stride = 1
	w.holdBack = cfg.HoldBack
	w.hasWork, w.hasRoom = w.ready, w.replyFits
	return w
}

// In is the ring of descriptors to this worker, the loop its producer.
func (w *Worker) In() *Inbox { return w.in }

// Out is the ring of replies, the loop its consumer, which calls ReleaseReplies.
func (w *Worker) Out() *ring.Bytes { return w.out }

// Wake wakes the worker if it is parked. Any goroutine, after it has published
// what there is to wake for.
func (w *Worker) Wake() {
	if w.parked.Load() && w.parked.CompareAndSwap(true, false) {
		w.token <- struct{}{}
	}
}

// park blocks until Wake, unless ready says that there is something already. The
// store of parked and the look behind it are ordered before a waker's publish and
// its look at parked, or behind it: one of the two sees the other.
func (w *Worker) park(ready func() bool) {
	w.parked.Store(true)
	if ready() && w.parked.CompareAndSwap(true, false) {
		return
	}
	<-w.token
}

func (w *Worker) stopping() bool {
	select {
	case <-w.pool.ctx.Done():
		return true
	default:
		return false
	}
}

func (w *Worker) run() {
	for !w.stopping() {
		if !w.turn() {
			w.callFlush()
			w.armLook()
			w.park(w.hasWork)
		}
	}
	w.pace.stop()
	if w.retry != nil {
		w.retry.stop()
	}
}

// ready is the second look before parking.
func (w *Worker) ready() bool {
	return !w.in.empty() && w.room() > 0 || !w.main.completer.ring.Empty() || w.stopping() ||
		w.dead != nil && !w.dead.completer.ring.Empty() ||
		w.retry != nil && w.vacant() && (!w.retry.ready.empty() || w.retry.dueNow()) ||
		w.draining.Load() && w.mayEnd() || w.mayLook() || w.mayFlush() || w.asks()
}

// turn does what there is to do now, up to one batch, and publishes once.
func (w *Worker) turn() bool {
	busy := w.answer()
	busy = w.main.takeCompletions() || busy
	w.pace.later = w.pace.done
	if w.dead != nil {
		busy = w.dead.takeCompletions() || busy
	}
	if w.retry != nil {
		busy = w.retry.turn() || busy
	}
	busy = w.takeNew() || busy
	if w.draining.Load() {
		busy = w.endHandler() || busy
	}
	w.checkDeferred()
	busy = busy || w.widen()
	if busy {
		w.keepPace()
		w.noteEnd()
		w.publish()
	}
	return busy
}
