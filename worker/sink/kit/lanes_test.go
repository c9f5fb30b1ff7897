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

// Whatever fails, each message is stored once, those of one lane in order.
func TestLanesKeepTheirOrder(t *testing.T) {
	for name, cfg := range map[string]Config{
		"one lane":    {MaxMessages: 20},
		"keys":        {MaxMessages: 20, Outstanding: 3, Lane: firstByte},
		"a selector":  {MaxMessages: 20, Outstanding: 3, Key: mustSelect(t, "bytes:0:1")},
		"one per key": {MaxMessages: 50, Outstanding: 3, Lane: firstByte, MaxPerLane: 1},
		"few bytes":   {MaxBytes: 30, Outstanding: 2, Lane: firstByte},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(server)
			s.answer = func(_ context.Context, b *Batch) {
				// A server that stores a beginning of each lane's part, and fails the rest of it.
				failed := map[uint64]bool{}
				if rand.IntN(4) == 0 {
					b.ResolveAll(Again(0, errAway))
					return
				}
				for i := range b.Len() {
					failed[b.Lane(i)] = failed[b.Lane(i)] || rand.IntN(20) == 0
					if failed[b.Lane(i)] {
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
					g.Wait(i - 10) // lanes come and go; later they fill up
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
				lane := m[0]
				if cfg.Lane == nil && cfg.Key == nil {
					lane = 0
				}
				if i < last[lane] {
					t.Fatalf("%q was stored after message %d", m, last[lane])
				}
				last[lane] = i
			}
			slices.Sort(stored)
			if len(slices.Compact(stored)) != n || g.Refused != 0 {
				t.Errorf("%d stored, want %d; %d refused", len(stored), n, g.Refused)
			}
		})
	}
}

// A lane is free as soon as all of its messages are done, whatever the others of the batch do.
func TestOneLaneHoldsUpNoOther(t *testing.T) {
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
	g := handlertest.Start(t, open(t, s, Config{Outstanding: 2, Lane: firstByte, Linger: time.Hour, MaxMessages: 2}, sink.Config{}), 1, 64)
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
