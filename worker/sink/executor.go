package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"feedgate/worker"
)

// deathLimit is at how many deaths of its child the first message in line, which
// each of them had received, is taken to be the cause, and refused.
const deathLimit = 3

// steadyTime is how long a child must run for the backoff to start again from its
// minimum.
const steadyTime = time.Second

// executor is one worker's handler: it keeps the line of messages without an
// answer, and its goroutines keep a child that works it off.
//
//	newExecutor starts the keeper and the watcher;
//	the keeper adopts or starts a child with its feeder, reads its answers, and when
//	it has ended starts another;
//	Drain makes the feeder close the child's input behind the last message;
//	Close, or the end of the pool, ends the child and with it all goroutines. A child
//	that has answered everything gets the grace period to end by itself; one that has
//	not, and any once Config.Hurry is closed, is ended at once.
//
// The line takes whatever the worker hands over and so is bounded by the
// in-flight limit alone. Were Handle to wait for the child, answers would not be
// acknowledged meanwhile, and a child that answers only at the end of its input
// would never see it.
type executor struct {
	sink   *execSink
	number int
	c      *worker.Completer // the keeper's
	ctx    context.Context   // ends when the handler or the pool does
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
func newExecutor(s *execSink, number int, c *worker.Completer, first *child) *executor {
	h := &executor{
		sink: s, number: number, c: c,
		hurry: make(chan struct{}), kept: make(chan struct{}), done: make(chan struct{}),
	}
	h.changed = sync.NewCond(&h.mu)
	h.ctx, h.cancel = context.WithCancel(context.Background())
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

func (h *executor) Handle(b *worker.Batch) {
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

// Starved reports whether the child has read everything that this handler was
// given and has not answered it all: it may be at work on the last message, or it
// may answer only once it has more, as one does that buffers its answers or reads
// ahead. It costs a lock and at most one system call. Any goroutine may ask.
func (h *executor) Starved() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.child != nil && !h.eof && h.line.sent > 0 && h.line.unsent() == 0 &&
		h.child.in.read() == h.line.framed
}

// Close takes twice the grace period at most; killDelay, and what the kernel takes
// to end a process, when messages are unanswered or Config.Hurry is closed.
func (h *executor) Close() error {
	h.cancel()
	<-h.done
	h.sink.closed(h)
	return nil
}

// isDown is why there is no child that works: none runs, or one that was started
// after a failure has yet to last or to answer.
func (h *executor) isDown() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.child != nil && time.Since(h.child.born) >= startTime {
		return nil
	}
	return h.down
}

// watch ends the child when the handler or its pool ends. Handlers are closed one
// after another, but pools stop all at once, and so do their children.
func (h *executor) watch() {
	select {
	case <-h.c.Stopped():
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
	wait := h.sink.cfg.newBackoff()
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

// wanted waits until a child is needed: at once, except in the drain, when only a
// message needs one. False at the end. One that was adopted runs in any case.
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

// fail notes and logs why there is no child.
func (h *executor) fail(err error, next time.Duration) {
	h.mu.Lock()
	h.down = err
	unanswered := h.line.len()
	h.mu.Unlock()
	h.sink.failures.add("child", h.number, "error", err, "unanswered", unanswered, "retry_in", next)
}

// runChild is the life of one child, to its reaping: of c, or of a new one when
// that is nil. A nil error is an end that was asked for: everything is answered and
// the drain has closed its input, or the handler was closed.
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
	// Without its output a child that still runs is of no use.
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

// ended returns why c, whose fault may be given, has failed; nil when it has not.
// If it had received the first message in line, that may be the cause.
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
		h.sink.refusals.add("child", h.number, "deaths", deathLimit,
			"seq", refused.seq, "bytes", len(refused.data))
	}
	return cmp.Or(err, errExitZero)
}

var errExitZero = errors.New("exit status 0")

// status is how c has ended, nil for an exit status 0 of its own accord. The lock is
// held.
func (h *executor) status(c *child) error {
	switch status := cmp.Or(c.status, errExitZero); {
	case c.forced && h.eof:
		return fmt.Errorf("it went on after the end of its input: %w", status)
	case c.forced:
		return fmt.Errorf("it closed its standard input or output and went on: %w", status)
	}
	return c.status
}

// countDeath counts, with the lock, a death against the first message in line;
// true when that is refused for it.
func (h *executor) countDeath(first *queued) bool {
	h.line.deaths++
	if h.line.deaths < deathLimit {
		return false
	}
	*first = h.line.at(0)
	h.c.Done(h.line.first, 1, worker.Refused)
	h.line.drop(1)
	return true
}
