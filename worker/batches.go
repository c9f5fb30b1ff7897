package worker

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Batches makes a sink of a function that processes many messages in one call, for a cost that is
// mostly one of the call: a write, a request, a transaction. Each worker makes one call at a time,
// with up to most messages in order of arrival: those that have arrived since the last call, and,
// with wait, those that arrive until the oldest has waited that long, or no more can arrive.
//
// f returns nil if all messages are done, else an error for each of them, as a [Func] does; any
// other number of errors, and a panic, refuse them all. Under order by key, a call has at most one
// message of each key, so that those behind one that is asked for again can wait. ctx ends when the gateway stops its
// workers: f must then return. msgs and their data are valid until f returns.
func Batches(most int, wait time.Duration, f func(ctx context.Context, msgs []Message) []error) Sink {
	return &batches{most: max(1, most), wait: wait, f: f}
}

type batches struct {
	most int
	wait time.Duration
	f    func(context.Context, []Message) []error
}

func (s *batches) Open(c Completer) (Handler, error) {
	h := &batcher{s: s, c: c, news: make(chan struct{}, 1)}
	h.ctx, h.cancel = context.WithCancel(c.Context())
	// It never waits for more than wait, so it needs no more messages to go on.
	c.SetHooks(Hooks{Again: true, Flush: h.hurry, Starved: func() bool { return false }})
	h.ended.Go(h.run)
	return h, nil
}
func (s *batches) Ready() error            { return nil }
func (s *batches) Failed() <-chan struct{} { return nil }
func (s *batches) Err() error              { return nil }
func (s *batches) Close() error            { return nil }

// batcher is one worker's handler: Handle queues messages, and a goroutine calls the function.
type batcher struct {
	s      *batches
	c      Completer // run's
	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup
	news   chan struct{} // the fields below have changed
	call   []Message     // of the call under way; run's

	mu     sync.Mutex
	queue  []Message
	oldest time.Time // when the first of queue arrived
	next   ID        // of the first of queue
	now    bool      // no more arrive until some are resolved
	drains bool      // no more arrive, but for those asked for again
}

func (h *batcher) Handle(b Batch) {
	h.mu.Lock()
	if len(h.queue) == 0 {
		h.oldest = time.Now()
	}
	n := b.Len()
	for i := range n {
		h.queue = append(h.queue, b.At(i))
	}
	b.Defer(n)
	h.now = h.drains
	h.mu.Unlock()
	h.changed()
}

func (h *batcher) changed() {
	select {
	case h.news <- struct{}{}:
	default:
	}
}

// hurry ends the wait for a fuller batch.
func (h *batcher) hurry() {
	h.mu.Lock()
	h.now = true
	h.mu.Unlock()
	h.changed()
}

func (h *batcher) Drain() {
	h.mu.Lock()
	h.now, h.drains = true, true
	h.mu.Unlock()
	h.changed()
}

func (h *batcher) Close() error {
	h.cancel()
	h.ended.Wait()
	return nil
}

func (h *batcher) run() {
	var due <-chan time.Time
	for {
		first, wait := h.take()
		if len(h.call) > 0 {
			h.resolve(first, h.try())
			clear(h.call)
			h.call = h.call[:0]
			continue
		}
		due = nil
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-h.news:
		case <-due:
		case <-h.ctx.Done():
			return
		}
	}
}

// take moves the messages of the next call from queue to call, and returns the ID of the first. If
// it is too early for a call, it moves none, and returns how long to wait; 0: for news.
func (h *batcher) take() (first ID, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(len(h.queue), h.s.most)
	if n == 0 || h.ctx.Err() != nil {
		return 0, 0
	}
	if left := h.s.wait - time.Since(h.oldest); n < h.s.most && !h.now && left > 0 {
		return 0, left
	}
	first = h.next
	h.next += ID(n)
	h.call = append(h.call, h.queue[:n]...)
	rest := copy(h.queue, h.queue[n:])
	clear(h.queue[rest:])
	h.queue, h.oldest = h.queue[:rest], time.Now()
	return first, 0
}

// try calls the function.
func (h *batcher) try() (errs []error) {
	defer func() {
		if r := recover(); r != nil {
			h.c.Panicked(r)
			errs = make([]error, len(h.call))
			for i := range errs {
				errs[i] = Refuse(Refused)
			}
		}
	}()
	errs = h.s.f(h.ctx, h.call)
	if n := len(h.call); len(errs) != 0 && len(errs) != n {
		panic(fmt.Sprintf("worker: %d errors for a batch of %d messages", len(errs), n))
	}
	return errs
}

// resolve reports the outcomes of a call, by runs of messages with one code.
func (h *batcher) resolve(first ID, errs []error) {
	if len(errs) == 0 {
		h.c.Done(first, len(h.call), OK)
		h.c.Flush()
		return
	}
	for i := 0; i < len(errs); {
		code, after := Outcome(errs[i])
		if after > 0 {
			h.c.Again(first+ID(i), 1, after)
			i++
			continue
		}
		n := 1
		for i+n < len(errs) {
			if next, after := Outcome(errs[i+n]); next != code || after > 0 {
				break
			}
			n++
		}
		h.c.Done(first+ID(i), n, code)
		i += n
	}
	h.c.Flush()
}
