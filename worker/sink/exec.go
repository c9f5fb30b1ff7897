package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"feedgate/worker"
)

// startTime is how long a child must run to count as started.
const startTime = 200 * time.Millisecond

// Starter is a sink that can be started before its handlers are opened, so that its faults
// end the process before any connection is made.
type Starter interface {
	// Start starts what that many handlers need, and waits until it runs or ctx ends. It
	// may be called once.
	Start(ctx context.Context, handlers int) error
}

// execSink runs one child for each worker.
type execSink struct {
	steady
	command string
	cfg     *Config

	// works: one of its children has answered a message. Until then the command is taken
	// for the cause of a child's death, not a message.
	works atomic.Bool

	failures, refusals *repeats

	mu     sync.Mutex
	opened int
	open   []*executor
	idle   []*child // started by Start, and not adopted by a handler yet
}

func newExec(command string, cfg *Config) *execSink {
	return &execSink{
		command: command, cfg: cfg,
		failures: newRepeats(cfg.Log, slog.LevelWarn, "exec child failed"),
		refusals: newRepeats(cfg.Log, slog.LevelError, "message refused: the child crashed on it"),
	}
}

// Start implements [Starter]: it starts the children that the first handlers adopt. An error
// means that the command cannot work.
func (s *execSink) Start(ctx context.Context, handlers int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range handlers {
		c, err := s.startChild()
		if err != nil {
			return fmt.Errorf("%s: cannot start a child: %w", s.cfg.Flag, err)
		}
		s.idle = append(s.idle, c)
	}
	if len(s.idle) == 0 {
		return nil
	}
	started := time.NewTimer(startTime)
	defer started.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-s.idle[0].exited:
	case <-started.C:
	}
	for i, c := range s.idle {
		if err := c.misbegun(); err != nil {
			return fmt.Errorf("%s: child %d of %d %w", s.cfg.Flag, i+1, handlers, err)
		}
	}
	return nil
}

func (s *execSink) startChild() (*child, error) {
	return startChild(s.command, s.cfg.Stderr, s.cfg.Grace)
}

// Open makes a handler, which adopts a child that Start has started.
func (s *execSink) Open(c *worker.Completer) (worker.Handler, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	var first *child
	if len(s.idle) > 0 {
		first, s.idle = s.idle[0], s.idle[1:]
	}
	h := newExecutor(s, s.opened, c, first)
	s.open = append(s.open, h)
	return h, nil
}

// Ready is how many children are down, and why the first of them is.
func (s *execSink) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first error
	down := 0
	for _, h := range s.open {
		if err := h.isDown(); err != nil {
			down++
			if first == nil {
				first = fmt.Errorf("child %d: %w", h.number, err)
			}
		}
	}
	if first == nil {
		return nil
	}
	return fmt.Errorf("exec: %d of %d children are down: %w", down, len(s.open), first)
}

func (s *execSink) closed(h *executor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.open {
		if s.open[i] == h {
			s.open = append(s.open[:i], s.open[i+1:]...)
			return
		}
	}
}

// Close ends the children that no handler has adopted.
func (s *execSink) Close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	now := make(chan struct{})
	close(now)
	var ending sync.WaitGroup
	var faults []error
	for _, c := range idle {
		ending.Go(func() { c.end(now) })
	}
	ending.Wait()
	for _, c := range idle {
		faults = append(faults, c.out.Close())
	}
	s.failures.close()
	s.refusals.close()
	return errors.Join(faults...)
}
