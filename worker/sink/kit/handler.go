package kit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"feedgate/worker"
	"feedgate/worker/selector"
)

// handler is one worker's handler. It queues the worker's messages; its senders claim them, send
// them, and send again what failed.
//
//	newHandler starts the senders.
//	Handle queues, and never blocks.
//	Flush and Drain end the wait for a fuller batch.
//	Close, or the end of the workers, ends the senders and abandons unresolved messages.
type handler struct {
	sink   *Sink
	worker int
	client Client
	c      worker.Completer // under mu
	ctx    context.Context  // ends with Close or with the workers
	cancel context.CancelFunc
	ended  sync.WaitGroup // of the senders and watch

	accepted atomic.Bool // copy of Sink.accepted, read without its lock

	mu       sync.Mutex
	changed  *sync.Cond // wakes senders when a field below has changed
	queues   keyQueues
	keys     []uint64        // of the messages of a Handle
	keyer    *selector.Keyer // of Config.Key; nil: none
	next     worker.ID       // of the next message
	batches  uint64          // ID of the latest batch
	flush    bool            // do not linger: no more will arrive until some are resolved
	draining bool            // do not linger: no more will arrive
	lingers  time.Time       // when the oldest waiting message has waited for Config.Linger
	timer    *time.Timer     // fires then; nil: never needed yet
	closed   bool
	down     map[*claim]error // why claims wait to be sent again
}

func newHandler(s *Sink, n int, client Client, c worker.Completer) *handler {
	h := &handler{sink: s, worker: n, client: client, c: c, down: make(map[*claim]error)}
	h.queues.byKey = make(map[uint64]*keyQueue)
	if s.cfg.Key != nil {
		h.keyer = selector.NewKeyer(s.cfg.Key)
	}
	h.changed = sync.NewCond(&h.mu)
	h.accepted.Store(s.accepted)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	// Never starved: messages are resolved whether or not others follow them, and those that
	// wait for a fuller batch are sent on Flush. So a server that is slow or away gets no more
	// messages than a drain has time for.
	c.SetHooks(worker.Hooks{Flush: h.flushNow, Starved: func() bool { return false }})
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
	if h.queues.waiting == 0 && cfg.Linger > 0 {
		h.linger()
	}
	n := b.Len()
	h.keys = h.keys[:0]
	if h.keyed() {
		for i := range n {
			h.keys = append(h.keys, h.keyOf(b.At(i))) // it may panic; so far nothing is queued
		}
	}
	key := uint64(0)
	for i := range n {
		if len(h.keys) > 0 {
			key = h.keys[i]
		}
		h.queues.add(entry{m: b.At(i), id: h.next + worker.ID(i)}, key, cfg.Unordered)
	}
	if b.Defer(n) != h.next {
		panic("kit: the IDs of deferred messages are not consecutive")
	}
	h.next += worker.ID(n)
	h.flush = false
	h.changed.Broadcast()
}

// keyed reports whether messages have keys.
func (h *handler) keyed() bool {
	return !h.sink.cfg.Unordered && (h.sink.cfg.KeyFunc != nil || h.keyer != nil)
}

// keyOf returns the hash of a message's key.
func (h *handler) keyOf(m worker.Message) uint64 {
	if key := h.sink.cfg.KeyFunc; key != nil {
		return key(m)
	}
	return h.keyer.Hash(m)
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

// flushNow is the Flush of [worker.Hooks].
func (h *handler) flushNow() {
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
	h.sink.remove(h)
	return err
}

// watch ends the senders when the handler is closed or the workers end.
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

// resolve resolves messages, those with consecutive IDs together, and ends the claims of keys
// without further messages in progress. The lock is held.
func (h *handler) resolve(all []entry, code worker.Code) {
	if h.closed {
		return
	}
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n].id == all[i].id+worker.ID(n) {
			n++
		}
		h.c.Resolve(all[i].id, n, code)
		h.sink.common.Stats.Resolved(code, n)
		i += n
	}
	h.c.Flush()
	ready := false
	for i := range all {
		ready = h.queues.resolved(&all[i]) || ready
	}
	if ready {
		h.changed.Broadcast()
	}
}

// setDown records why a claim waits to be sent again; nil: it does not. It reports whether the
// claim waited before.
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

// whyDown returns why a claim waits to be sent again; nil: none does.
func (h *handler) whyDown() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, err := range h.down {
		return err
	}
	return nil
}
