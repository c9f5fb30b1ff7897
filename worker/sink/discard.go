package sink

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"feedgate/worker"
)

// Discard is what Open makes of discard:. It counts messages and bytes, and logs
// the sums when it is closed, if a worker has opened it.
type Discard struct {
	steady
	log *slog.Logger

	mu       sync.Mutex
	open     map[*discarder]struct{}
	messages uint64 // of handlers that were closed
	bytes    uint64
	opened   bool
}

// discarder is one worker's handler and its counters, which that worker alone
// writes, once a batch. They stand between other allocations' cache lines.
type discarder struct {
	_        [128]byte
	messages atomic.Uint64
	bytes    atomic.Uint64
	sink     *Discard
	_        [128]byte
}

func newDiscard(cfg *Config) *Discard {
	return &Discard{log: cfg.Log, open: make(map[*discarder]struct{})}
}

// Open implements [worker.Sink].
func (s *Discard) Open(*worker.Completer) (worker.Handler, error) {
	h := &discarder{sink: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[h], s.opened = struct{}{}, true
	return h, nil
}

// Count is the number of messages discarded so far and the bytes in them. Any
// goroutine may ask.
func (s *Discard) Count() (messages, bytes uint64) {
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
func (s *Discard) Close() error {
	messages, bytes := s.Count()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened {
		s.log.Info("discarded", "messages", messages, "bytes", bytes)
	}
	return nil
}

func (h *discarder) Handle(b *worker.Batch) {
	n, bytes := b.Left(), 0
	for i := range n {
		bytes += b.Size(i)
	}
	b.Done(n, worker.OK)
	h.messages.Add(uint64(n))
	h.bytes.Add(uint64(bytes))
}

func (h *discarder) Drain() {}

func (h *discarder) Close() error {
	s := h.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[h]; ok {
		delete(s.open, h)
		s.messages += h.messages.Load()
		s.bytes += h.bytes.Load()
	}
	return nil
}
