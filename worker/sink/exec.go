package sink

import (
	"fmt"
	"sync"

	"feedgate/worker"
)

// execSink runs one child for each worker.
type execSink struct {
	steady
	command string
	cfg     *Config

	mu     sync.Mutex
	opened int
	open   []*executor
}

func newExec(command string, cfg *Config) *execSink {
	return &execSink{command: command, cfg: cfg}
}

func (s *execSink) Open(c *worker.Completer) (worker.Handler, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	h := newExecutor(s, s.opened, c)
	s.open = append(s.open, h)
	return h, nil
}

// Ready says how many children are down, and of the first of them why.
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
