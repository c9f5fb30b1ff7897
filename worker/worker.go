package worker

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"feedgate/ring"
)

// Batches grow and shrink so that one takes about batchTime: a reply waits no
// longer than that for its batch to end, and a slow handler publishes every
// message by itself.
const (
	batchTime = 100 * time.Microsecond
	batchMax  = 1024
	batchMin  = 1
)

// ReplyBytes is the room in the reply ring for each of its entries: a record
// without an ack, or with a short one.
const ReplyBytes = 32

// Worker is one goroutine with its rings. The loop writes in, reads out and calls
// Wake; everything else is the worker's own.
type Worker struct {
	id        int
	pool      *Pool
	slabs     *Slabs
	handler   Handler
	render    func(dst []byte, m Message, code Code) []byte
	log       *slog.Logger
	bell      *ring.Bell
	wakeLoop  func()
	completer Completer

	in  *ring.SPSC[Desc] // loop -> worker
	out *ring.Bytes      // worker -> loop

	// Worker's.
	batch   Batch
	limit   int   // messages in the next batch at most
	pending Reply // run of finished messages that is not in the ring yet
	freed   struct {
		slab uint16
		n    int
	} // references to give back
	records int  // replies committed and not rung for
	took    bool // descriptors taken since the last publish
	drained bool // the handler has heard Drain
	open    openTable
	scratch []byte // rendered ack
	wants   int    // bytes of the reply that waits for room

	// What park asks; made once, for a method value is an allocation.
	hasWork, hasRoom func() bool

	// Shared: the loop's side of the wake-up.
	parked   atomic.Bool
	token    chan struct{} // one for each time that parked was taken away
	draining atomic.Bool
	aside    sync.Map // place -> ack too long for the ring
}

func newWorker(id int, cfg *Config, p *Pool) *Worker {
	w := &Worker{
		id: id, pool: p, slabs: cfg.Slabs, render: cfg.Render, log: cfg.Log,
		bell: cfg.Bell, wakeLoop: cfg.Wake,
		in:    ring.NewSPSC[Desc](cfg.Ring),
		out:   ring.NewBytes(max(cfg.Ring*ReplyBytes, minReplyRing)),
		limit: 64,
		token: make(chan struct{}, 1),
	}
	if w.log == nil {
		w.log = slog.Default()
	}
	w.batch.w = w
	w.hasWork, w.hasRoom = w.ready, w.roomy
	w.completer = Completer{w: w, ring: ring.NewSPSC[completion](ceilPow2(cfg.InFlight))}
	return w
}

// In is the ring of descriptors to this worker, the loop its producer.
func (w *Worker) In() *ring.SPSC[Desc] { return w.in }

// Out is the ring of replies from this worker, the loop its consumer. Who has
// released room in it must call Wake.
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
	case <-w.pool.stopped:
		return true
	default:
		return false
	}
}

func (w *Worker) run() {
	for !w.stopping() {
		if !w.turn() {
			w.park(w.hasWork)
		}
	}
}

func (w *Worker) ready() bool {
	return !w.in.Empty() || !w.completer.ring.Empty() || w.stopping() ||
		w.draining.Load() && !w.drained
}

// turn does what there is to do now, up to one batch, and publishes once.
func (w *Worker) turn() bool {
	busy := w.takeCompletions()
	if descs := w.in.Peek(); len(descs) > 0 {
		w.handle(descs[:min(len(descs), w.limit)])
		busy = true
	} else if w.draining.Load() && !w.drained && w.in.Empty() {
		w.drained = true
		w.handler.Drain()
		busy = true
	}
	if busy {
		w.publish()
	}
	return busy
}

func (w *Worker) handle(descs []Desc) {
	start := time.Now()
	w.batch.descs = descs
	w.callHandler()
	w.in.Take(len(descs))
	w.took = true

	switch took := time.Since(start); {
	case took > batchTime:
		w.limit = max(batchMin, w.limit/2)
	case took < batchTime/2 && len(descs) == w.limit:
		w.limit = min(batchMax, w.limit*2)
	}
}

// callHandler refuses what the handler left over, by a panic or by neglect.
func (w *Worker) callHandler() {
	defer func() {
		if r := recover(); r != nil {
			w.panicked(r)
		}
		if left := w.batch.Left(); left > 0 {
			w.batch.Done(left, Refused)
		}
	}()
	w.handler.Handle(&w.batch)
}

func (w *Worker) panicked(reason any) {
	w.pool.panics.Add(1)
	// The reason may quote the message: only its type is logged.
	w.log.Error("handler panicked; message refused", "worker", w.id,
		"panic", fmt.Sprintf("%T", reason), "stack", string(debug.Stack()))
}

// takeCompletions finishes what was put off and is now complete.
func (w *Worker) takeCompletions() bool {
	busy := false
	for {
		done := w.completer.ring.Peek()
		if len(done) == 0 {
			break
		}
		for _, c := range done {
			for k := range Ticket(c.n) {
				d, ok := w.open.take(c.first + k)
				if !ok {
					panic("worker: message completed twice")
				}
				one := [1]Desc{d}
				w.finish(one[:], c.code)
			}
		}
		w.completer.ring.Take(len(done))
		busy = true
	}
	if busy {
		w.completer.ring.Release()
	}
	return busy
}

// finish replies to messages and gives up their data.
func (w *Worker) finish(descs []Desc, code Code) {
	if w.render != nil {
		w.replyRendered(descs, code)
	} else {
		w.replyRun(descs, code)
	}
	w.freeData(descs)
}
