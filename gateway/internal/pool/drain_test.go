package pool

import (
	"fmt"
	"testing"
	"time"

	"feedgate/worker"
	"feedgate/worker/selector"
)

// TestDrainReturnsWhatNoHandlerHad: with HoldBack, messages in the ring and messages that wait for
// their key are returned, each once; the handler resolves its own.
func TestDrainReturnsWhatNoHandlerHad(t *testing.T) {
	for _, retries := range []int{0, 1} {
		t.Run(fmt.Sprint(retries, " retries"), func(t *testing.T) {
			var g *gatherer
			p := newPaced(t, 5*time.Second, func(*paced) worker.Sink {
				return gatherSink{open: func(done worker.Completer) worker.Handler {
					g = &gatherer{c: done, want: 1 << 30}
					return g
				}}
			})
			p.w.holdBack = true
			if retries > 0 {
				p.w.retry = newRetrier(p.w, &Config{Retries: retries, Key: &selector.Selector{}})
			}
			const count = 500
			for range count {
				p.w.In().Reserve(1)[0] = Span(0, 8)
				p.w.In().Commit(Desc{Seq: uint64(p.next), Slot: p.next}, 1)
				p.next++
			}
			p.w.In().Publish()
			codes := map[uint32]worker.Code{}
			take := func() {
				n := 0
				for b := p.w.Out().Next(); b != nil; b = p.w.Out().Next() {
					r := p.w.Reply(b)
					for slot := range slotsOf(r) {
						if _, twice := codes[slot]; twice {
							t.Fatalf("message %d has two replies", slot)
						}
						codes[slot] = r.Code
					}
					n++
				}
				p.w.Out().Release()
				p.events.Sub(n)
			}
			for p.pool.Turn(0) {
				take()
			}
			had := g.n
			if had == 0 || had > firstAllowance || len(codes) > 0 {
				t.Fatalf("the handler has %d messages, %d replies", had, len(codes))
			}
			p.pool.Drain()
			for p.pool.Turn(0) {
				take()
			}
			if len(codes) != count-had {
				t.Errorf("%d messages returned, want %d", len(codes), count-had)
			}
			g.c.Resolve(g.first, had, worker.OK)
			g.c.Flush()
			for p.pool.Turn(0) {
				take()
			}
			done := 0
			for _, code := range codes {
				if code == worker.OK {
					done++
				} else if code != Returned {
					t.Errorf("code %d", code)
				}
			}
			if len(codes) != count || done != had {
				t.Errorf("%d replies, %d of them done; want %d and %d", len(codes), done, count, had)
			}
		})
	}
}
