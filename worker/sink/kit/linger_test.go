package kit

import (
	"context"
	"slices"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/testkit"
)

// TestNothingLingers: without Linger the first message is sent at once; the next batch has all that
// arrived meanwhile.
func TestNothingLingers(t *testing.T) {
	free := make(chan struct{})
	s := new(server)
	s.answer = func(_ context.Context, b *Batch) {
		<-free
		s.accept(b, 0, b.Len())
	}
	k := open(t, s, Config{}, sink.Config{})
	g := handlertest.Start(t, k, 1, 64)
	g.Send(0, []byte("a"))
	testkit.Eventually(t, "the first batch", func() bool { return len(s.batches()) == 1 })
	for range 10 {
		g.Send(0, []byte("b"))
	}
	waiting(t, k, 10)
	close(free)
	g.Wait(11)
	g.Stop()
	if got := s.batches(); !slices.Equal(got, []int{1, 10}) {
		t.Errorf("batches of %d messages", got)
	}
}

// waiting waits until n messages in all are queued.
func waiting(t *testing.T, k *Sink, n int) {
	t.Helper()
	h := k.open[0]
	testkit.Eventually(t, "messages that wait", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		all := h.queues.unordered.len()
		for _, l := range h.queues.byKey {
			all += l.messages.len()
		}
		return all == n
	})
}

// TestLinger: a batch waits until it is full, unless no more messages can arrive.
func TestLinger(t *testing.T) {
	for name, c := range map[string]struct {
		linger time.Duration
		cfg    Config
		sent   int
		ends   func(g *handlertest.Gateway)
	}{
		"full":             {time.Hour, Config{MaxMessages: 5}, 5, func(*handlertest.Gateway) {}},
		"full of bytes":    {time.Hour, Config{MaxBytes: 50}, 5, func(*handlertest.Gateway) {}},
		"unordered":        {time.Hour, Config{MaxMessages: 5, Unordered: true}, 5, func(*handlertest.Gateway) {}},
		"time":             {time.Millisecond, Config{}, 5, func(*handlertest.Gateway) {}},
		"the loop waits":   {time.Hour, Config{}, 5, func(g *handlertest.Gateway) { g.SetBlocked(0, true) }},
		"the ring is full": {time.Hour, Config{MaxMessages: 10_000}, 1024, func(*handlertest.Gateway) {}},
		"the drain":        {time.Hour, Config{}, 5, func(g *handlertest.Gateway) { g.Drain() }},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Linger = c.linger
			s := new(server)
			g := handlertest.Start(t, open(t, s, c.cfg, sink.Config{}), 1, 4096)
			for range c.sent {
				g.Send(0, []byte("0123456789"))
			}
			c.ends(g)
			g.Wait(c.sent)
			g.Stop()
			if name != "time" && len(s.batches()) != 1 {
				t.Errorf("batches of %d messages", s.batches())
			}
		})
	}
}

// TestNoLingerWhileBlocked: batches are sent at once whenever the gateway is blocked, not only the
// first time.
func TestNoLingerWhileBlocked(t *testing.T) {
	s := new(server)
	k := open(t, s, Config{Linger: time.Hour}, sink.Config{})
	g := handlertest.Start(t, k, 1, 64)
	g.SetBlocked(0, true)
	for i := range 50 {
		g.Send(0, []byte("a"))
		g.Wait(i + 1)
	}
	g.SetBlocked(0, false)
	g.Send(0, []byte("a"))
	waiting(t, k, 1)
	g.WantResolved(50)
	g.Stop()
}
