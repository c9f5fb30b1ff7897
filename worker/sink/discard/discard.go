// Package discard is the sink discard:, which counts messages and drops them.
package discard

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"feedgate/worker"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
)

// Kind is discard:.
var Kind = sink.Kind{
	Schemes: []string{"discard"},
	Form:    "discard:",
	Help:    "acknowledges and drops each message",
	Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
		if u.Rest != "" {
			return sink.Target{}, errors.New("nothing may follow discard:")
		}
		return sink.Target{Open: func(cfg *sink.Config) (*sink.Sink, error) {
			s := newCounter(cfg.Log)
			cfg.Stats.Counted = func() uint64 {
				messages, _ := s.count()
				return messages
			}
			return &sink.Sink{Sink: s}, nil
		}}, nil
	},
}

// counter is the sink. When it is closed, it logs the number of messages and of bytes, unless no
// worker ever opened it.
type counter struct {
	worker.AlwaysReady
	log *slog.Logger

	mu       sync.Mutex
	open     map[*discarder]struct{}
	messages uint64 // of closed handlers
	bytes    uint64
	opened   bool
}

// discarder is one worker's handler. Only that worker writes its counters, once per batch. The
// padding keeps them on cache lines of their own.
type discarder struct {
	_        [128]byte
	messages atomic.Uint64
	bytes    atomic.Uint64
	counter  *counter
	_        [128]byte
}

func newCounter(log *slog.Logger) *counter {
	return &counter{log: log, open: make(map[*discarder]struct{})}
}

// Open implements [worker.Sink].
func (s *counter) Open(worker.Completer) (worker.Handler, error) {
	h := &discarder{counter: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[h], s.opened = struct{}{}, true
	return h, nil
}

// count returns the number of messages discarded so far, and of their bytes. Any goroutine may call
// it.
func (s *counter) count() (messages, bytes uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	messages, bytes = s.messages, s.bytes
	for h := range s.open {
		messages += h.messages.Load()
		bytes += h.bytes.Load()
	}
	return messages, bytes
}

// Close implements [worker.Sink].
func (s *counter) Close() error {
	messages, bytes := s.count()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened {
		s.log.Info("discarded", "messages", messages, "bytes", bytes)
	}
	return nil
}

func (h *discarder) Handle(b worker.Batch) {
	n, bytes := b.Len(), b.Bytes()
	b.Resolve(n, worker.OK)
	h.messages.Add(uint64(n))
	h.bytes.Add(uint64(bytes))
}

func (h *discarder) Drain() {}

func (h *discarder) Close() error {
	s := h.counter
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[h]; ok {
		delete(s.open, h)
		s.messages += h.messages.Load()
		s.bytes += h.bytes.Load()
	}
	return nil
}
