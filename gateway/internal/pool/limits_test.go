package pool

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"feedgate/worker"
)

// deferrer is a handler that defers messages, and resolves them one by one, in random order: some
// at any time, or none before Flush, or none before Drain, or all but the first one.
type deferrer struct {
	rnd     *rand.Rand
	c       worker.Completer
	until   string // "any", "flush", "drain", "keep"
	drained bool
	fails   int // percent
	atOnce  int // percent of batches of which it resolves a part in Handle
	pending []worker.ID
}

func newDeferrer(rnd *rand.Rand) *deferrer {
	until := []string{"any", "flush", "drain", "keep"}
	return &deferrer{rnd: rnd, until: until[rnd.IntN(len(until))], fails: rnd.IntN(101), atOnce: rnd.IntN(2) * rnd.IntN(100)}
}

func (h *deferrer) open(c worker.Completer) worker.Handler {
	h.c = c
	if h.until == "flush" {
		c.SetHooks(worker.Hooks{Flush: h.resolveAll})
	}
	return h
}

func (h *deferrer) Handle(b worker.Batch) {
	if h.rnd.IntN(100) < h.atOnce {
		b.Resolve(h.rnd.IntN(b.Len()+1), h.code())
	}
	n := b.Len()
	if n == 0 {
		return
	}
	first := b.Defer(n)
	for i := range n {
		h.pending = append(h.pending, first+worker.ID(i))
	}
	if h.drained {
		h.resolveAll()
	}
}

func (h *deferrer) Drain()       { h.drained = true; h.resolveAll() }
func (h *deferrer) Close() error { return nil }

func (h *deferrer) resolveAll() { h.resolveSome(len(h.pending)) }

func (h *deferrer) resolveSome(n int) {
	h.rnd.Shuffle(len(h.pending), func(i, j int) { h.pending[i], h.pending[j] = h.pending[j], h.pending[i] })
	var kept []worker.ID
	for _, k := range h.pending[:n] {
		if k == 0 && h.until == "keep" && !h.drained {
			kept = append(kept, k)
			continue
		}
		h.c.Resolve(k, 1, h.code())
	}
	h.pending = append(kept, h.pending[n:]...)
	h.c.Flush()
}

func (h *deferrer) code() worker.Code {
	if h.rnd.IntN(100) < h.fails {
		return worker.Refused
	}
	return worker.OK
}

// TestDeferredAreBounded: whatever the handlers wait for, no more messages are pending than a ring
// has entries, in a drain twice as many, and all of them are replied to.
func TestDeferredAreBounded(t *testing.T) {
	for seed := range uint64(1000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testDeferred(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func testDeferred(t *testing.T, rnd *rand.Rand) {
	sink, dead := newDeferrer(rnd), newDeferrer(rnd)
	p := newPaced(t, 0, func(*paced) worker.Sink { return gatherSink{open: sink.open} }, func(cfg *Config) {
		cfg.Ring, cfg.Retries, cfg.RetryMin = 8, rnd.IntN(3), time.Second
		cfg.InFlight = 8 + rnd.IntN(30)
		if rnd.IntN(3) > 0 {
			cfg.DeadLetters = gatherSink{open: dead.open}
		}
		if rnd.IntN(2) == 0 {
			cfg.Key = mustSelect(t, "bytes:0:1")
		}
	})
	p.w.slabs.At(0).Data = []byte("abcdefgh")
	total, drainAt, bound := 20+rnd.IntN(100), rnd.IntN(500), p.w.In().Cap()
	given, done := 0, 0
	for step := 0; step < drainAt || done < given; step++ {
		if step == 100000 {
			t.Fatalf("%d of %d are done; the sink's handler has %d (%s, drained %v), that of dead letters %d (%s, drained %v)",
				done, given, len(sink.pending), sink.until, sink.drained, len(dead.pending), dead.until, dead.drained)
		}
		if step == drainAt {
			p.pool.Drain()
			bound += p.w.In().Len()
		}
		for step < drainAt && given < total && given-done < p.w.maxIDSpan && len(p.w.In().Reserve(1)) > 0 && rnd.IntN(4) > 0 {
			p.w.In().Reserve(1)[0] = Span(uint32(rnd.IntN(8)), 1)
			p.w.In().Commit(Desc{Seq: uint64(given), Slot: uint32(given)}, 1)
			given++
		}
		p.w.In().Publish()
		p.held = 0
		if !p.turn() {
			p.w.callFlush()
		}
		done -= p.held
		p.clock += time.Duration(rnd.IntN(500)) * time.Millisecond
		if n := p.w.allPending(); n > bound {
			t.Fatalf("%d messages are pending, at most %d may be", n, bound)
		}
		if n := p.w.main.pending.span(); n > p.w.maxIDSpan+bound {
			t.Fatalf("%d IDs from the oldest to the newest, at most %d may be", n, p.w.maxIDSpan)
		}
		for _, h := range []*deferrer{sink, dead} {
			if h.c != nil && (h.until == "any" || h.until == "keep") && rnd.IntN(3) == 0 {
				h.resolveSome(rnd.IntN(len(h.pending) + 1))
			}
		}
	}
}
