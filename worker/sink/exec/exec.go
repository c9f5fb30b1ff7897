// Package exec is the sink exec:, which passes messages to child processes.
//
// Each worker has a child and four goroutines: one starts the child, reads its answers and restarts
// it; one writes to it; one waits for its end; one waits until the workers stop. Handle never
// blocks. Start starts the first children, before there are handlers.
package exec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
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
		return sink.Target{Label: label(u.Rest), Probe: probe(u.Rest), Open: func(cfg *sink.Config) (*sink.Sink, error) {
			s := newExec(u.Rest, cfg, defaultGrace)
			return &sink.Sink{Sink: s, Start: s.Start}, nil
		}}, nil
	},
}

// plainWord is a word that the shell takes as it is, such as a path; quotedWord is one in quotes.
var (
	plainWord  = regexp.MustCompile(`^[A-Za-z0-9_./,+%^-]+$`)
	quotedWord = regexp.MustCompile(`^(?:'([A-Za-z0-9_./,+%^:@=-]*)'|"([A-Za-z0-9_./,+%^:@=-]*)")$`)
)

// label returns exec: and the program of a command. Its arguments, and variables before it, may be
// secret. If only the shell knows where a word ends, it returns exec: alone.
func label(command string) string {
	for word := range strings.FieldsSeq(command) {
		name, value, assigns := strings.Cut(word, "=")
		switch {
		case assigns && plainWord.MatchString(name) && (value == "" || plainWord.MatchString(value) || quotedWord.MatchString(value)):
		case plainWord.MatchString(word):
			return "exec:" + word
		default:
			return "exec:"
		}
	}
	return "exec:"
}

// defaultGrace is how long a child may take to end after its input is closed, and again after TERM,
// before it is killed. It is also how long answers are read after its end if another process has
// its output open. Once sink.Config.Hurry is closed, a child whose handler is being closed gets
// TERM at once, and KILL after killDelay.
const defaultGrace = 2 * time.Second

// startTime is how long a child must run to count as started.
const startTime = 200 * time.Millisecond

// execSink runs one child for each worker.
type execSink struct {
	worker.AlwaysReady
	command string
	cfg     *sink.Config
	grace   time.Duration // defaultGrace, except in tests

	// works: a child has answered a message. Until then, if a child crashes, the command is at
	// fault rather than a message.
	works atomic.Bool

	failures, refusals *sink.Repeats

	mu     sync.Mutex
	opened int
	open   []*executor
	idle   []*child // started by Start, and without a handler yet
}

func newExec(command string, cfg *sink.Config, grace time.Duration) *execSink {
	return &execSink{
		command: command, cfg: cfg, grace: grace,
		failures: sink.NewRepeats(cfg.Log, slog.LevelWarn, "exec child failed"),
		refusals: sink.NewRepeats(cfg.Log, slog.LevelError, "message refused: the child crashed on it"),
	}
}

// Start implements that of [sink.Sink]: it starts the children of the first handlers. An error
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
		if err := c.startFault(); err != nil {
			return fmt.Errorf("%s: child %d of %d %w", s.cfg.Flag, i+1, handlers, err)
		}
	}
	return nil
}

func (s *execSink) startChild() (*child, error) {
	return startChild(s.command, s.cfg.Stderr, s.grace)
}

// Open implements [worker.Sink]. The handler gets a child that Start has started, if one is left.
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

// Ready implements [worker.Sink]. The error has the number of children that are down, and why the
// first one is.
func (s *execSink) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first error
	down := 0
	for _, h := range s.open {
		if err := h.whyDown(); err != nil {
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

// closed removes a handler that is closed.
func (s *execSink) closed(h *executor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = slices.DeleteFunc(s.open, func(o *executor) bool { return o == h })
}

// Close implements [worker.Sink]. It ends the children without a handler.
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
