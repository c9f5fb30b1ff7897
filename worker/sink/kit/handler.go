package kit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"feedgate/worker/selector"

	"feedgate/worker"
)

// handler is one worker's handler: it queues the messages that the worker hands it, and its
// senders claim them, send them, and send again what failed.
//
//	newHandler starts the senders;
//	Handle queues; it never waits;
//	Flush and Drain end the waits for a fuller batch;
//	Close, or the end of the pool, ends the senders, and gives up what is unresolved.
type handler struct {
	sink   *Sink
	number int // of the worker
	client Client
	c      worker.Completer // under mu
	ctx    context.Context  // ends when the handler or the pool does
	cancel context.CancelFunc
	ended  sync.WaitGroup // of the senders and the watcher

	accepted atomic.Bool // a copy of Sink.accepted, to ask without a lock

	mu       sync.Mutex
	changed  *sync.Cond // of the senders, for the fields below
	lanes    lanes
	keyer    *selector.Keyer // of Config.Key; nil: there is none
	next     worker.ID       // of the next message
	batches  uint64          // number of the latest batch
	flush    bool            // do not linger: nothing more comes before something is done
	draining bool            // likewise, ever
	lingers  time.Time       // when the oldest message that waits has waited long enough
	timer    *time.Timer
	closed   bool
	down     map[*claim]error // what keeps claims from being sent, each in its backoff
}

func newHandler(s *Sink, number int, client Client, c worker.Completer) *handler {
	h := &handler{sink: s, number: number, client: client, c: c, down: make(map[*claim]error)}
	h.lanes.byKey = make(map[uint64]*lane)
	if s.cfg.Key != nil {
		h.keyer = selector.NewKeyer(s.cfg.Key)
	}
	h.changed = sync.NewCond(&h.mu)
	h.accepted.Store(s.accepted)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	// Messages are completed one by one whatever follows, and those that wait for a fuller
	// batch are sent on Flush: a server that is slow, or away, is given no more of them than
	// it can take in a drain.
	c.SetHooks(worker.Hooks{Flush: h.flushAll, Starved: func() bool { return false }})
	h.ended.Go(h.watch)
	for range s.cfg.Outstanding {
		h.ended.Go(h.send)
	}
	return h
}

// Handle implements [worker.Handler].
func (h *handler) Handle(b worker.Batch) {
	cfg := &h.sink.cfg
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lanes.waiting == 0 && cfg.Linger > 0 {
		h.linger()
	}
	n := b.Len()
	for i := range n {
		m := b.At(i)
		key := uint64(0)
		switch {
		case cfg.Unordered:
		case cfg.Lane != nil:
			key = cfg.Lane(m)
		case h.keyer != nil:
			key = h.keyer.Hash(m)
		}
		h.lanes.add(entry{m: m, ticket: h.next + worker.ID(i)}, key, cfg.Unordered)
	}
	if b.Defer(n) != h.next {
		panic("kit: tickets are not consecutive")
	}
	h.next += worker.ID(n)
	h.flush = false
	h.changed.Broadcast()
}

// linger starts the wait for a fuller batch. The lock is held.
func (h *handler) linger() {
	d := h.sink.cfg.Linger
	h.lingers = time.Now().Add(d)
	if h.timer == nil {
		h.timer = time.AfterFunc(d, h.wake)
	} else {
		h.timer.Reset(d)
	}
}

func (h *handler) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed.Broadcast()
}

// flushAll is the Flush of [worker.Hooks].
func (h *handler) flushAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flush = true
	h.changed.Broadcast()
}

// Drain implements [worker.Handler].
func (h *handler) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
	h.changed.Broadcast()
}

// Close implements [worker.Handler].
func (h *handler) Close() error {
	h.cancel()
	h.ended.Wait()
	err := h.client.Close()
	h.sink.forget(h)
	return err
}

// watch ends the senders when the handler or its pool ends.
func (h *handler) watch() {
	select {
	case <-h.c.Context().Done():
		h.cancel()
	case <-h.ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.timer != nil {
		h.timer.Stop()
	}
	h.changed.Broadcast()
}

// complete completes messages, by runs of consecutive tickets, and frees lanes of which nothing
// is left with a sender. The lock is held.
func (h *handler) complete(all []entry, code worker.Code) {
	if h.closed {
		return
	}
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n].ticket == all[i].ticket+worker.ID(n) {
			n++
		}
		h.c.Resolve(all[i].ticket, n, code)
		i += n
	}
	h.c.Flush()
	ready := false
	for i := range all {
		ready = h.lanes.completed(&all[i]) || ready
	}
	if ready {
		h.changed.Broadcast()
	}
}

// setDown notes why a claim waits to be sent again, and reports whether it did before; nil:
// it does not wait.
func (h *handler) setDown(c *claim, why error) (was bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, was = h.down[c]
	if why == nil {
		delete(h.down, c)
	} else {
		h.down[c] = why
	}
	return was
}

func (h *handler) isDown() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, err := range h.down {
		return err
	}
	return nil
}
