package kit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker/selector"
	"feedgate/worker/sink"
	"feedgate/worker/testkit"
)

// TestOrderByKey: whatever fails, each message is stored, those with the same key in order.
func TestOrderByKey(t *testing.T) {
	for name, cfg := range map[string]Config{
		"one key":     {MaxMessages: 20},
		"keys":        {MaxMessages: 20, Outstanding: 3, KeyFunc: firstByte},
		"a selector":  {MaxMessages: 20, Outstanding: 3, Key: mustSelect(t, "bytes:0:1")},
		"one per key": {MaxMessages: 50, Outstanding: 3, KeyFunc: firstByte, MaxPerKey: 1},
		"few bytes":   {MaxBytes: 30, Outstanding: 2, KeyFunc: firstByte},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(server)
			s.answer = func(_ context.Context, b *Batch) {
				// Of each key, the server stores the first messages of the batch
				// and fails the others.
				failed := map[uint64]bool{}
				if rand.IntN(4) == 0 {
					b.ResolveAll(Again(0, errAway))
					return
				}
				for i := range b.Len() {
					failed[b.Key(i)] = failed[b.Key(i)] || rand.IntN(20) == 0
					if failed[b.Key(i)] {
						b.Resolve(i, 1, Again(time.Microsecond, errAway))
					} else {
						s.accept(b, i, 1)
					}
				}
			}
			log := new(testkit.Log)
			g := handlertest.Start(t, open(t, s, cfg, sink.Config{
				Log: log.Logger(), ReconnectMin: time.Millisecond, ReconnectMax: 2 * time.Millisecond,
			}), 1, 4096)
			const n = 1500
			for i := range n {
				g.Send(0, fmt.Appendf(nil, "%c %d", 'a'+i%7, i))
				if i%3 == 2 && i < n/2 {
					g.Wait(i - 10) // queues become empty; later they fill up
				}
			}
			g.Wait(n)
			g.Stop()
			last := map[byte]int{}
			stored := s.contents()
			for _, m := range stored {
				var i int
				if _, err := fmt.Sscan(m[2:], &i); err != nil {
					t.Fatal(err)
				}
				key := m[0]
				if cfg.KeyFunc == nil && cfg.Key == nil {
					key = 0
				}
				if i < last[key] {
					t.Fatalf("%q was stored after message %d", m, last[key])
				}
				last[key] = i
			}
			slices.Sort(stored)
			if len(slices.Compact(stored)) != n || g.Refused != 0 {
				t.Errorf("%d stored, want %d; %d refused", len(stored), n, g.Refused)
			}
		})
	}
}

// TestSlowKeyBlocksNoOther: a key is free once its messages are done, whatever the others of the
// batch do.
func TestSlowKeyBlocksNoOther(t *testing.T) {
	s := new(server)
	slow := make(chan *Batch, 1)
	s.answer = func(_ context.Context, b *Batch) {
		for i := range b.Len() {
			if string(b.At(i).Data) == "slow" {
				slow <- b
				continue
			}
			s.accept(b, i, 1)
		}
	}
	g := handlertest.Start(t, open(t, s, Config{Outstanding: 2, KeyFunc: firstByte, Linger: time.Hour, MaxMessages: 2}, sink.Config{}), 1, 64)
	for _, m := range []string{"fast", "slow"} {
		g.Send(0, []byte(m))
	}
	g.Wait(1)
	for i := range 10 {
		g.Send(0, []byte("fast"))
		g.Send(0, []byte("fine"))
		g.Wait(3 + 2*i)
	}
	(<-slow).Resolve(1, 1, Done())
	g.Wait(22)
	g.Stop()
}

func mustSelect(t *testing.T, text string) *selector.Selector {
	t.Helper()
	s, err := selector.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &s
}
