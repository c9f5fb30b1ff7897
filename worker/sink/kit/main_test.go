package kit

import (
	"context"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a client and its server in one. It records what it accepted, in order.
type server struct {
	// answer sets the outcomes of a batch; nil: all of it is accepted.
	answer func(ctx context.Context, b *Batch)

	mu     sync.Mutex
	stored []string
	sizes  []int // of the batches, in the order of their Sends
	closed int
}

func (s *server) Send(ctx context.Context, b *Batch) {
	s.mu.Lock()
	s.sizes = append(s.sizes, b.Len())
	s.mu.Unlock()
	if s.answer != nil {
		s.answer(ctx, b)
		return
	}
	s.accept(b, 0, b.Len())
}

func (s *server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

// accept stores messages, which are then done.
func (s *server) accept(b *Batch, i, n int) {
	s.mu.Lock()
	for k := i; k < i+n; k++ {
		s.stored = append(s.stored, string(b.At(k).Data))
	}
	s.mu.Unlock()
	b.Resolve(i, n, Done())
}

func (s *server) contents() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.stored...)
}

func (s *server) batches() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.sizes...)
}

// open makes a sink whose workers all use the server.
func open(t testing.TB, s *server, cfg Config, common sink.Config) *Sink {
	t.Helper()
	sinktest.VerifyNoLeaks(t)
	cfg.Open = func(*Sink, int) (Client, error) { return s, nil }
	k := newSink(cfg, sinktest.Prepare(t, common))
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// firstByte is a KeyFunc.
func firstByte(m worker.Message) uint64 { return uint64(m.Data[0]) }
