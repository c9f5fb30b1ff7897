package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"feedgate/worker"
)

// deathLimit is at how many deaths of its child the first message in line is
// taken to be what kills it, and refused.
const deathLimit = 3

// executor is one worker's handler: it keeps the line of messages without an
// answer, and its goroutines keep a child that works it off.
//
//	newExecutor starts the keeper and the watcher;
//	the keeper starts a child with its feeder, reads its answers, and when it has
//	ended starts another;
//	Drain makes the feeder close the child's input behind the last message;
//	Close, or the end of the pool, ends the child and with it all goroutines.
//
// The line takes whatever the worker hands over and so is bounded by the
// in-flight limit alone. Were Handle to wait for the child, answers would not be
// acknowledged meanwhile, and a child that answers only at the end of its input
// would never see it.
type executor struct {
	sink   *execSink
	number int
	c      *worker.Completer // the keeper's
	log    *slog.Logger
	ctx    context.Context // ends when the handler or the pool does
	cancel context.CancelFunc
	done   chan struct{} // closed when all goroutines have ended

	mu       sync.Mutex
	changed  *sync.Cond // of the keeper and the feeder, for what stands below
	line     queue
	child    *child // nil: none runs
	eof      bool   // the child's input was closed behind the last message
	draining bool
	down     error // why there is no child; nil again once there is one
}

func newExecutor(s *execSink, number int, c *worker.Completer) *executor {
	h := &executor{
		sink: s, number: number, c: c, log: s.cfg.Log.With("child", number),
		done: make(chan struct{}),
	}
	h.changed = sync.NewCond(&h.mu)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		h.watch()
	}()
	go func() {
		defer close(h.done)
		h.keep()
		<-watched
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

// Close takes twice the grace period at most.
func (h *executor) Close() error {
	h.cancel()
	<-h.done
	h.sink.closed(h)
	return nil
}

func (h *executor) isDown() error {
	h.mu.Lock()
	defer h.mu.Unlock()
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
	c := h.child
	h.changed.Broadcast()
	h.mu.Unlock()
	if c != nil {
		c.end()
	}
}

// keep is the keeper.
func (h *executor) keep() {
	wait := h.sink.cfg.newBackoff()
	for h.wanted() {
		answered, err := h.runChild()
		if err == nil {
			continue
		}
		if answered {
			wait.Reset()
		}
		d := wait.NextBackOff()
		h.report(err, d)
		select {
		case <-time.After(d):
		case <-h.ctx.Done():
		}
	}
}

// wanted waits until a child is to be started: at once, except in the drain, when
// only a message calls for one. False at the end.
func (h *executor) wanted() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.ctx.Err() == nil && h.draining && h.line.len() == 0 {
		h.changed.Wait()
	}
	return h.ctx.Err() == nil
}

func (h *executor) report(err error, next time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = err
	h.log.Warn("exec child is down", "error", err, "unanswered", h.line.len(), "retry_in", next)
}

// runChild is the life of one child, to its reaping. A nil error is an end that
// was asked for: everything is answered and the drain has closed its input, or the
// handler was closed.
func (h *executor) runChild() (answered bool, err error) {
	c, err := startChild(h.sink.command, h.sink.cfg.Stderr, h.sink.cfg.Grace)
	if err != nil {
		return false, fmt.Errorf("start: %w", err)
	}
	waiting := h.begin(c)
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		h.feed(c)
	}()

	answered, err = h.read(c)
	if err != nil {
		c.kill()
	}
	// Without its output a child that still runs is of no use.
	c.end()
	h.leave()
	<-fed
	c.out.Close()
	return answered, h.bury(c, err, waiting && !answered)
}

// begin makes c the present child, and reports whether messages wait for it.
func (h *executor) begin(c *child) (waiting bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.child, h.eof, h.down = c, false, nil
	return h.line.len() > 0
}

func (h *executor) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.child = nil
	h.changed.Broadcast()
}

// bury draws the conclusions from the end of a child: unanswered messages are
// unsent again, and the first of them, if the child had it, has seen another
// death. had says that it was there for the child from the start.
func (h *executor) bury(c *child, err error, had bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	sent := h.line.sent
	h.line.sent = 0
	if h.ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = c.status
	}
	if err == nil && h.eof && sent == 0 {
		return nil
	}
	if sent > 0 || had {
		h.countDeath()
	}
	if err == nil {
		err = errors.New("exit status 0")
	}
	return err
}

func (h *executor) countDeath() {
	h.line.deaths++
	if h.line.deaths < deathLimit {
		return
	}
	m := h.line.items[h.line.head]
	h.log.Error("message refused: first in line at so many deaths of its child",
		"deaths", deathLimit, "seq", m.seq, "bytes", len(m.data))
	h.c.Done(h.line.first, 1, worker.Refused)
	h.c.Flush()
	h.line.drop(1)
}
