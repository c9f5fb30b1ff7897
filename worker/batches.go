package worker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Batches returns a sink that calls f for many messages at once, for work that costs about the same
// for one as for many: a transaction, a request, an fsync. Each worker makes one call at a time,
// for up to most messages, in order of arrival: those that have arrived since its last call. If
// wait is above 0 and there are fewer than most, it first waits for more, until the oldest has
// waited that long or no more can arrive.
//
// f returns nil if all messages are done, else one error for each of them, with the meanings that
// [Func] lists. To give all the same one, return slices.Repeat([]error{err}, len(msgs)). A panic,
// or another number of errors, refuses all messages of the call. Under order by key, a call has at
// most one message of each key. ctx ends when the gateway stops its workers: f must then return,
// and its result has no effect. msgs and their data are valid until f returns.
func Batches(most int, wait time.Duration, f func(ctx context.Context, msgs []Message) []error) Sink {
	return &batches{most: max(1, most), wait: wait, f: f}
}

type batches struct {
	AlwaysReady
	most int
	wait time.Duration
	f    func(context.Context, []Message) []error
}

func (s *batches) Open(c Completer) (Handler, error) {
	if s.f == nil {
		return nil, errNoFunction
	}
	h := &batcher{s: s, c: c, changed: make(chan struct{}, 1)}
	h.ctx, h.cancel = context.WithCancel(c.Context())
	// It is never starved: after wait it makes do with what it has.
	c.SetHooks(Hooks{Again: true, Flush: h.flushNow, Starved: func() bool { return false }})
	h.ended.Go(h.run)
	return h, nil
}

// batcher is one worker's handler: Handle queues messages, and a goroutine calls the function.
type batcher struct {
	s       *batches
	c       Completer // used by run
	ctx     context.Context
	cancel  context.CancelFunc
	ended   sync.WaitGroup // of run
	changed chan struct{}  // has one if the fields below have changed
	call    []Message      // of the call in progress; used by run

	mu       sync.Mutex
	queue    []Message // memory of the messages that wait: those from head on
	head     int
	arrivals []arrival // of the messages that wait, the oldest first
	next     ID        // of the first message that waits
	flush    bool      // no more will arrive until some are resolved
	draining bool      // only retries and messages that were asked for again will arrive
}

// arrival is when the messages of one Handle arrived.
type arrival struct {
	end ID // of the message after them
	at  time.Time
}

func (h *batcher) Handle(b Batch) {
	h.mu.Lock()
	n := b.Len()
	for i := range n {
		h.queue = append(h.queue, b.At(i))
	}
	first := b.Defer(n)
	if h.s.wait > 0 {
		h.arrivals = append(h.arrivals, arrival{first + ID(n), time.Now()})
	}
	h.flush = h.draining
	h.mu.Unlock()
	h.notify()
}

// notify wakes run.
func (h *batcher) notify() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// flushNow ends the wait for a fuller batch.
func (h *batcher) flushNow() {
	h.mu.Lock()
	h.flush = true
	h.mu.Unlock()
	h.notify()
}

func (h *batcher) Drain() {
	h.mu.Lock()
	h.flush, h.draining = true, true
	h.mu.Unlock()
	h.notify()
}

func (h *batcher) Close() error {
	h.cancel()
	h.ended.Wait()
	return nil
}

func (h *batcher) run() {
	var due <-chan time.Time
	for {
		first, wait := h.fill()
		if len(h.call) > 0 {
			h.resolve(first, h.callFunc())
			clear(h.call)
			h.call = h.call[:0]
			continue
		}
		due = nil
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-h.changed:
		case <-due:
		case <-h.ctx.Done():
			return
		}
	}
}

// fill moves the messages of the next call from queue to call, and returns the ID of the first. If
// it is too early for a call, it moves none, and returns how long to wait; 0: for a change.
func (h *batcher) fill() (first ID, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(len(h.queue)-h.head, h.s.most)
	if n == 0 || h.ctx.Err() != nil {
		return 0, 0
	}
	if n < h.s.most && !h.flush && h.s.wait > 0 {
		if left := h.s.wait - time.Since(h.arrivals[0].at); left > 0 {
			return 0, left
		}
	}
	first = h.next
	h.next += ID(n)
	h.call = append(h.call, h.queue[h.head:h.head+n]...)
	clear(h.queue[h.head : h.head+n])
	h.head += n
	if h.head >= len(h.queue)/2 { // so each message moves once on average
		rest := copy(h.queue, h.queue[h.head:])
		clear(h.queue[rest:])
		h.queue, h.head = h.queue[:rest], 0
	}
	for len(h.arrivals) > 0 && h.arrivals[0].end <= h.next {
		h.arrivals = h.arrivals[1:]
	}
	return first, 0
}

// outcome is what an error means.
type outcome struct {
	code  Code
	after time.Duration // above 0: the message is wanted again after that time
}

// callFunc calls the function, and returns the outcome of each message; nil: all are done. A panic
// refuses all messages of the call.
func (h *batcher) callFunc() (outcomes []outcome) {
	returned := false
	defer func() {
		if r := recover(); r != nil {
			h.c.Panicked(r)
			outcomes = slices.Repeat([]outcome{{code: Refused}}, len(h.call))
		} else if !returned {
			// The function has ended the goroutine, by runtime.Goexit. Its messages stay
			// unacknowledged.
			h.c.Panicked(goexit{})
			h.call = nil
			h.ended.Go(h.run)
		}
	}()
	errs := h.s.f(h.ctx, h.call)
	if n := len(h.call); errs != nil && len(errs) != n {
		panic(wrongNumberOfErrors{len(errs), n})
	}
	for _, err := range errs {
		code, after := Outcome(err) // it may panic, in a method of err
		outcomes = append(outcomes, outcome{code, after})
	}
	returned = true
	return outcomes
}

// goexit is the reason of a panic that is none. The log has the name of the type.
type goexit struct{}

// wrongNumberOfErrors is the reason of a panic. The log has the name of the type.
type wrongNumberOfErrors struct{ errors, messages int }

func (e wrongNumberOfErrors) Error() string {
	return fmt.Sprintf("worker: %d errors for a batch of %d messages", e.errors, e.messages)
}

// resolve resolves the messages of a call; consecutive ones with the same code together.
func (h *batcher) resolve(first ID, outcomes []outcome) {
	if outcomes == nil {
		h.c.Resolve(first, len(h.call), OK)
	}
	for i := 0; i < len(outcomes); {
		o, n := outcomes[i], 1
		if o.after > 0 {
			h.c.Again(first+ID(i), 1, o.after)
			i++
			continue
		}
		for i+n < len(outcomes) && outcomes[i+n] == o {
			n++
		}
		h.c.Resolve(first+ID(i), n, o.code)
		i += n
	}
	h.c.Flush()
}
