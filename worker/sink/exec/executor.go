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

// crashLimit is how many children must crash on a message before it is refused. A child crashes on
// a message if it has read it, and no message before it is unanswered.
const crashLimit = 3

// steadyTime is how long a child must run for the backoff to be reset.
const steadyTime = time.Second

// executor is one worker's handler. It has the queue of unanswered messages; its goroutines keep a
// child running that answers them.
//
//	newExecutor starts supervise and watch.
//	supervise starts a child, unless Start has, and feed; it reads the child's answers, and starts
//	another child after its end.
//	feed writes messages to the child. In a drain, it closes the child's input after the last one.
//	watch waits for Close or the end of the workers. Then a child that has answered everything
//	has the grace period to end; any other child, or any once sink.Config.Hurry is closed, is
//	ended at once.
//
// Handle queues whatever it gets, so only the in-flight limit applies to the queue. If Handle
// waited for the child instead, answers could not be acknowledged meanwhile, and a child that
// answers only at the end of its input would never get there.
type executor struct {
	sink       *execSink
	number     int
	c          worker.Completer // used by supervise
	ctx        context.Context  // ends with Close or with the workers
	cancel     context.CancelFunc
	hurry      chan struct{} // closed by watch when children must end at once
	supervised chan struct{} // closed when supervise has returned
	done       chan struct{} // closed when all goroutines have ended

	mu       sync.Mutex
	changed  *sync.Cond // wakes supervise and feed when a field below has changed
	queue    queue
	child    *child // nil: none runs
	eof      bool   // in a drain: the child's input has been closed, or is about to be
	draining bool
	down     error // why the last child failed; nil once a later one has answered
	// worksSince is since when the child has been working on the oldest message that was written to it.
	worksSince time.Time
}

// newExecutor makes a handler. first is its first child; nil: it starts one.
func newExecutor(s *execSink, number int, c worker.Completer, first *child) *executor {
	h := &executor{
		sink: s, number: number, c: c,
		hurry: make(chan struct{}), supervised: make(chan struct{}), done: make(chan struct{}),
	}
	h.changed = sync.NewCond(&h.mu)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	c.SetHooks(worker.Hooks{Starved: h.starved, ObservesCalls: true})
	go func() {
		defer close(h.supervised)
		h.supervise(first)
	}()
	go func() {
		defer close(h.done)
		h.watch()
		<-h.supervised
	}()
	return h
}

func (h *executor) Handle(b worker.Batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queue.push(b)
	h.changed.Broadcast()
}

func (h *executor) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
	h.changed.Broadcast()
}

// starved is the hook Starved: it reports whether the child has read every message and not answered
// all. The child may be working on the last one, or may need more before it answers, because it
// buffers answers or reads ahead. It takes a lock and makes at most one system call.
func (h *executor) starved() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.child != nil && !h.eof && h.queue.sent > 0 && h.queue.unsent() == 0 &&
		h.child.in.read() == h.queue.framed
}

// Close takes at most twice the grace period. If messages are unanswered, or sink.Config.Hurry is
// closed, it takes at most killDelay, and the time in which the kernel ends a process.
func (h *executor) Close() error {
	h.cancel()
	<-h.done
	h.sink.closed(h)
	return nil
}

// whyDown returns why no child works: none runs, or the one that was started after a failure has
// neither run for startTime nor answered. Nil: one works.
func (h *executor) whyDown() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.child != nil && time.Since(h.child.born) >= startTime {
		return nil
	}
	return h.down
}

// watch ends the child when the handler is closed or the workers end. Handlers are closed one after
// the other, but the end of the workers ends all children at once.
func (h *executor) watch() {
	select {
	case <-h.c.Context().Done():
		h.cancel()
	case <-h.ctx.Done():
	}
	h.mu.Lock()
	idle := h.queue.len() == 0
	c := h.child
	h.changed.Broadcast()
	h.mu.Unlock()
	if c != nil {
		c.release()
	}
	if idle {
		select {
		case <-h.supervised:
			return
		case <-h.sink.cfg.Hurry:
		}
	}
	close(h.hurry)
}

// supervise runs one child after the other.
func (h *executor) supervise(c *child) {
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

// wanted waits until a child is needed: in a drain, until there is a message; otherwise, and for a
// first child, not at all. It returns false if the handler has ended.
func (h *executor) wanted(first *child) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if first != nil {
		return true
	}
	for h.ctx.Err() == nil && h.draining && h.queue.len() == 0 {
		h.changed.Wait()
	}
	return h.ctx.Err() == nil
}

// fail records and logs why the last child failed.
func (h *executor) fail(err error, next time.Duration) {
	h.mu.Lock()
	h.down = err
	unanswered := h.queue.len()
	h.mu.Unlock()
	h.sink.cfg.Stats.Restarts.Add(1)
	h.sink.failures.Add("child", h.number, "error", err, "unanswered", unanswered, "retry_in", next)
}

// runChild runs a child until it is reaped: c, or a new one if c is nil. It returns a nil error if
// the end was expected: in a drain, after everything was answered, or after Close.
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
	// If the child has closed its output, it cannot answer any more.
	c.end(h.hurry)
	h.leave()
	<-fed
	c.out.Close()
	return c.died.Sub(c.born), h.ended(c, err)
}

// begin makes c the current child.
func (h *executor) begin(c *child) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.child, h.eof = c, false
	h.queue.restart()
	if h.ctx.Err() != nil {
		c.release() // watch may not have seen it
	}
}

// leave ends the time of the current child.
func (h *executor) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.child = nil
	h.changed.Broadcast()
}

// ended returns why c has failed: fault, if there is one, or its exit status; nil if it has not
// failed. If c had read the first message of the queue, it has crashed on that.
func (h *executor) ended(c *child, fault error) error {
	h.mu.Lock()
	unanswered := h.queue.sent
	received := h.queue.within(1, c.in.read()) > 0
	h.queue.restart()
	err := cmp.Or(fault, h.status(c))
	expected := h.ctx.Err() != nil || err == nil && h.eof && unanswered == 0
	refused := queued{}
	refuse := !expected && received && h.sink.works.Load() && h.countCrash(&refused)
	h.mu.Unlock()
	if expected {
		return nil
	}
	if refuse {
		h.c.Flush()
		h.sink.refusals.Add("child", h.number, "crashes", crashLimit,
			"seq", refused.seq, "bytes", len(refused.data))
	}
	return cmp.Or(err, errExitZero)
}

var errExitZero = errors.New("exit status 0")

// status returns how c has ended; nil if it exited with 0 by itself. The lock is held.
func (h *executor) status(c *child) error {
	switch status := cmp.Or(c.status, errExitZero); {
	case c.forced && h.eof:
		return fmt.Errorf("it went on after the end of its input: %w", status)
	case c.forced:
		return fmt.Errorf("it closed its standard input or output and went on: %w", status)
	}
	return c.status
}

// countCrash counts a crash on the first message of the queue. It returns true if that refuses the
// message. The lock is held.
func (h *executor) countCrash(first *queued) bool {
	h.queue.crashes++
	if h.queue.crashes < crashLimit {
		return false
	}
	*first = h.queue.at(0)
	h.c.Resolve(h.queue.first, 1, worker.Refused)
	h.queue.drop(1)
	return true
}
