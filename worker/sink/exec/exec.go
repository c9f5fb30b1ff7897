// Package exec has the sink that gives messages to child processes, exec:.
//
// For each worker, one goroutine starts the child, reads its answers and restarts it, one
// writes to the child, one waits for its end, and one waits for the pool to stop. Handle
// never waits. Start starts the first children before there are handlers.
package exec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"feedgate/worker"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
)

// Kind is exec:COMMAND.
var Kind = sink.Kind{
	Schemes: []string{"exec"},
	Form:    "exec:COMMAND",
	Help:    "runs one child per worker (u32be length and bytes in, u16be code out)",
	Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
		if strings.TrimSpace(u.Rest) == "" {
			return sink.Target{}, errors.New("want a command for /bin/sh, as in exec:./handle")
		}
		return sink.Target{Label: label(u.Rest), Open: func(cfg *sink.Config) (*sink.Sink, error) {
			s := newExec(u.Rest, cfg, defaultGrace)
			return &sink.Sink{Sink: s, Start: s.Start}, nil
		}}, nil
	},
}

// label names only the program of a command, because its arguments and the variables before
// it may be secrets.
func label(command string) string {
	for word := range strings.FieldsSeq(command) {
		if !strings.Contains(word, "=") {
			return "exec:" + word
		}
	}
	return "exec:"
}

// defaultGrace is how long a child has to end once its input is closed, and again after
// TERM, before it is killed; and how long after its end answers are read while a stray
// process holds its output open. Once sink.Config.Hurry is closed, a child whose handler is
// being closed gets TERM at once and KILL killDelay later.
const defaultGrace = 2 * time.Second

// startTime is how long a child must run to count as started.
const startTime = 200 * time.Millisecond

// execSink runs one child for each worker.
type execSink struct {
	worker.AlwaysReady
	command string
	cfg     *sink.Config
	grace   time.Duration // defaultGrace, but in tests

	// works: one of its children has answered a message. Until then the command is taken
	// for the cause of a child's death, not a message.
	works atomic.Bool

	failures, refusals *sink.Repeats

	mu     sync.Mutex
	opened int
	open   []*executor
	idle   []*child // started by Start, and not adopted by a handler yet
}

func newExec(command string, cfg *sink.Config, grace time.Duration) *execSink {
	return &execSink{
		command: command, cfg: cfg, grace: grace,
		failures: sink.NewRepeats(cfg.Log, slog.LevelWarn, "exec child failed"),
		refusals: sink.NewRepeats(cfg.Log, slog.LevelError, "message refused: the child crashed on it"),
	}
}

// Start is that of [sink.Sink]: it starts the children that the first handlers adopt. An error
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
	return startChild(s.command, s.cfg.Stderr, s.grace)
}

// Open makes a handler, which adopts a child that Start has started.
func (s *execSink) Open(c worker.Completer) (worker.Handler, error) {
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
	s.open = slices.DeleteFunc(s.open, func(o *executor) bool { return o == h })
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
	s.failures.Close()
	s.refusals.Close()
	return errors.Join(faults...)
}
