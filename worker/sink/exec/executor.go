package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"feedgate/worker"
)

// deathLimit is the number of children that must die with the same message first in line,
// which each of them had read, before the message is taken for the cause and refused.
const deathLimit = 3

// steadyTime is how long a child must run for the backoff to start again from its
// minimum.
const steadyTime = time.Second

// executor is one worker's handler: it keeps the queue of unanswered messages, and its
// goroutines keep a child running that answers them.
//
//	newExecutor starts the keeper and the watcher;
//	the keeper adopts or starts a child and its feeder, reads the child's answers, and
//	starts another child when it has ended;
//	Drain makes the feeder close the child's input after the last message;
//	Close, or the end of the pool, ends the child and with it all goroutines. A child
//	that has answered everything gets the grace period to end by itself; one that has
//	not, and any once sink.Config.Hurry is closed, is ended at once.
//
// The line takes whatever the worker hands over and so is bounded by the
// in-flight limit alone. Were Handle to wait for the child, answers would not be
// acknowledged meanwhile, and a child that answers only at the end of its input
// would never see it.
type executor struct {
	sink   *execSink
	number int
	c      worker.Completer // the keeper's
	ctx    context.Context  // ends when the handler or the pool does
	cancel context.CancelFunc
	hurry  chan struct{} // closed by the watcher when children must end at once
	kept   chan struct{} // closed when the keeper has ended
	done   chan struct{} // closed when all goroutines have ended

	mu       sync.Mutex
	changed  *sync.Cond // of the keeper and the feeder, for the fields below
	line     queue
	child    *child // nil: none runs
	eof      bool   // the child's input is closed behind the last message, or about to be
	draining bool
	down     error // why the last child failed; nil again once one has answered
}

// newExecutor makes a handler. first is its first child, or nil.
func newExecutor(s *execSink, number int, c worker.Completer, first *child) *executor {
	h := &executor{
		sink: s, number: number, c: c,
		hurry: make(chan struct{}), kept: make(chan struct{}), done: make(chan struct{}),
	}
	h.changed = sync.NewCond(&h.mu)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	c.SetHooks(worker.Hooks{Starved: h.starved})
	go func() {
		defer close(h.kept)
		h.keep(first)
	}()
	go func() {
		defer close(h.done)
		h.watch()
		<-h.kept
	}()
	return h
}

func (h *executor) Handle(b worker.Batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.line.push(b)
	h.changed.Broadcast()
}

func (h *executor) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
	h.changed.Broadcast()
}

// starved is that of [worker.Hooks]: it reports whether the child has read every message and
// not answered all. It may be working on the last one, or may need more before it
// answers, because it buffers its answers or reads ahead. The cost is a lock and at most one
// system call. Any goroutine may call it.
func (h *executor) starved() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.child != nil && !h.eof && h.line.sent > 0 && h.line.unsent() == 0 &&
		h.child.in.read() == h.line.framed
}

// Close takes at most twice the grace period; if messages are unanswered or sink.Config.Hurry is
// closed, killDelay and the time that the kernel takes to end a process.
func (h *executor) Close() error {
	h.cancel()
	<-h.done
	h.sink.closed(h)
	return nil
}

// isDown is why no child works: none runs, or one that was started after a failure has
// neither run for startTime nor answered. Nil: one works.
func (h *executor) isDown() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.child != nil && time.Since(h.child.born) >= startTime {
		return nil
	}
	return h.down
}

// watch ends the child when the handler or its pool ends. Handlers are closed one after
// another, but a pool stops all of its children at once.
func (h *executor) watch() {
	select {
	case <-h.c.Context().Done():
		h.cancel()
	case <-h.ctx.Done():
	}
	h.mu.Lock()
	idle := h.line.len() == 0
	c := h.child
	h.changed.Broadcast()
	h.mu.Unlock()
	if c != nil {
		c.release()
	}
	if idle {
		select {
		case <-h.kept:
			return
		case <-h.sink.cfg.Hurry:
		}
	}
	close(h.hurry)
}

// keep is the keeper.
func (h *executor) keep(c *child) {
	wait := h.sink.cfg.NewBackoff()
	for h.wanted(c) {
		lasted, err := h.runChild(c)
		c = nil
		if err == nil {
			continue
		}
		if lasted >= steadyTime {
			wait.Reset()
		}
		d := wait.NextBackOff()
		h.fail(err, d)
		select {
		case <-time.After(d):
		case <-h.ctx.Done():
		}
	}
}

// wanted waits until a child is needed: always, except in the drain, when only a message
// needs one. False: the handler has ended. An adopted child runs in any case.
func (h *executor) wanted(adopted *child) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if adopted != nil {
		return true
	}
	for h.ctx.Err() == nil && h.draining && h.line.len() == 0 {
		h.changed.Wait()
	}
	return h.ctx.Err() == nil
}

// fail records and logs why there is no child.
func (h *executor) fail(err error, next time.Duration) {
	h.mu.Lock()
	h.down = err
	unanswered := h.line.len()
	h.mu.Unlock()
	h.sink.failures.Add("child", h.number, "error", err, "unanswered", unanswered, "retry_in", next)
}

// runChild runs one child until it is reaped: c, or a new one if c is nil. A nil error is an
// expected end: everything is answered and the drain has closed its input, or the handler
// was closed.
func (h *executor) runChild(c *child) (lasted time.Duration, err error) {
	if c == nil {
		if c, err = h.sink.startChild(); err != nil {
			return 0, fmt.Errorf("start: %w", err)
		}
	}
	h.begin(c)
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		h.feed(c)
	}()

	if err = h.read(c); err != nil {
		c.kill()
	}
	// A child that has closed its output cannot answer any more.
	c.end(h.hurry)
	h.leave()
	<-fed
	c.out.Close()
	return c.died.Sub(c.born), h.ended(c, err)
}

// begin makes c the present child.
func (h *executor) begin(c *child) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.child, h.eof = c, false
	h.line.restart()
	if h.ctx.Err() != nil {
		c.release() // the watcher has not seen it
	}
}

func (h *executor) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.child = nil
	h.changed.Broadcast()
}

// ended returns why c has failed: fault, if there is one, or how it exited; nil if it has
// not. If c had read the first message in line, that message may be the cause.
func (h *executor) ended(c *child, fault error) error {
	h.mu.Lock()
	unanswered := h.line.sent
	received := h.line.within(1, c.in.read()) > 0
	h.line.restart()
	err := cmp.Or(fault, h.status(c))
	asked := h.ctx.Err() != nil || err == nil && h.eof && unanswered == 0
	refused := queued{}
	refuse := !asked && received && h.sink.works.Load() && h.countDeath(&refused)
	h.mu.Unlock()
	if asked {
		return nil
	}
	if refuse {
		h.c.Flush()
		h.sink.refusals.Add("child", h.number, "deaths", deathLimit,
			"seq", refused.seq, "bytes", len(refused.data))
	}
	return cmp.Or(err, errExitZero)
}

var errExitZero = errors.New("exit status 0")

// status is how c has ended; nil if it exited with 0 by itself. The lock is held.
func (h *executor) status(c *child) error {
	switch status := cmp.Or(c.status, errExitZero); {
	case c.forced && h.eof:
		return fmt.Errorf("it went on after the end of its input: %w", status)
	case c.forced:
		return fmt.Errorf("it closed its standard input or output and went on: %w", status)
	}
	return c.status
}

// countDeath counts a death against the first message in line; true if the message is
// refused for it. The lock is held.
func (h *executor) countDeath(first *queued) bool {
	h.line.deaths++
	if h.line.deaths < deathLimit {
		return false
	}
	*first = h.line.at(0)
	h.c.Resolve(h.line.first, 1, worker.Refused)
	h.line.drop(1)
	return true
}
