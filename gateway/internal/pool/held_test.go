package pool

import (
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"feedgate/ring"
	"feedgate/worker"
	"feedgate/worker/offheap"
)

// Memory is poisoned when it is recycled.
func init() { offheap.Default = offheap.Heap{} }

// askedSink defers messages with an even number, refuses those with a multiple of three, and
// resolves the others as done. For dead letters it defers all.
type askedSink struct {
	worker.AlwaysReady
	dead    bool
	handler *askedHandler
}

type askedHandler struct {
	sink *askedSink
	c    worker.Completer
	open []worker.ID
	seqs []uint64
}

func (k *askedSink) Open(c worker.Completer) (worker.Handler, error) {
	k.handler = &askedHandler{sink: k, c: c}
	return k.handler, nil
}

func (h *askedHandler) Handle(b worker.Batch) {
	for b.Len() > 0 {
		switch seq := b.At(0).Seq; {
		case h.sink.dead || seq%2 == 0:
			h.seqs = append(h.seqs, seq)
			h.open = append(h.open, b.Defer(1))
		case seq%3 == 0:
			b.Resolve(1, worker.Refused)
		default:
			b.Resolve(1, worker.OK)
		}
	}
}
func (h *askedHandler) Drain()       {}
func (h *askedHandler) Close() error { return nil }

// resolve resolves a pending message.
func (h *askedHandler) resolve(i int) {
	h.c.Resolve(h.open[i], 1, worker.OK)
	h.c.Flush()
	h.open, h.seqs = slices.Delete(h.open, i, i+1), slices.Delete(h.seqs, i, i+1)
}

// TestHeld: a worker lists exactly the messages that it has: in its ring, with its handler, and
// with that of dead letters. After Stop, the handlers still have theirs; the others are released.
func TestHeld(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		slabs := NewSlabs(2, func(uint16) {})
		main, dead := new(askedSink), &askedSink{dead: true}
		var events ring.EventCount
		pool, err := New(Config{
			Workers: 1, Ring: 16, InFlight: 1 << 10, Slabs: slabs, Sink: main, DeadLetters: dead,
			Events: &events, Wake: func() {}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		w := pool.Workers()[0]
		w.length.level = rnd.IntN(3) // a batch may be a part of a run
		for id := range uint16(2) {
			slabs.At(id).Data = make([]byte, 1<<16)
		}
		next := uint64(1)
		for range 100 {
			switch rnd.IntN(4) {
			case 0:
				slab := uint16(rnd.IntN(2))
				spans := w.In().Reserve(1 + rnd.IntN(5))
				for i := range spans {
					spans[i] = Span(uint32(next)+uint32(i), 1)
				}
				if n := len(spans); n > 0 {
					slabs.Hold(slab, n)
					w.In().Commit(Desc{Seq: next, Slot: uint32(next), Slab: slab}, n)
					w.In().Publish()
					next += uint64(n)
				}
			case 1:
				pool.Turn(0)
			case 2:
				if h := []*askedHandler{main.handler, dead.handler}[rnd.IntN(2)]; len(h.open) > 0 {
					h.resolve(rnd.IntN(len(h.open)))
					pool.Turn(0)
				}
			case 3:
				pool.Ask()
				if _, all := pool.Held(); all {
					t.Fatal("answered before the worker was asked")
				}
				w.answer()
				if w.Out().Next() == nil {
					t.Fatal("the answer does not wake the loop")
				}
				lists, all := pool.Held()
				if !all {
					t.Fatal("not answered")
				}
				want := slices.Concat(main.handler.seqs, dead.handler.seqs)
				for n := next - uint64(inRing(w)); n < next; n++ {
					want = append(want, n)
				}
				wantHeld(t, lists, want, slabs)
			}
			for w.Out().Next() != nil {
			}
			w.Out().Release()
		}
		if err := pool.Stop(); err != nil {
			t.Fatal(err)
		}
		wantHeld(t, pool.Left(), slices.Concat(main.handler.seqs, dead.handler.seqs), slabs)
	}
}

// inRing returns how many messages the worker has not taken.
func inRing(w *Worker) int {
	n := w.in.left
	first, second := w.in.ring.All()
	words := append(slices.Clone(first[min(n, len(first)):]), second...)
	for len(words) > 0 {
		if words[0] == 0 {
			words = words[1:]
			continue
		}
		count := int(words[0] >> 47 & MaxRun)
		n += count
		words = words[runWords+count:]
	}
	return n
}

// wantHeld checks that the lists have the messages with these numbers, which are also their
// offsets, and that no others have references to the slabs.
func wantHeld(t *testing.T, lists [][]Held, want []uint64, slabs *Slabs) {
	t.Helper()
	var got []uint64
	of := make([]int, slabs.Len())
	for _, list := range lists {
		for _, m := range list {
			if m.Len != 1 {
				t.Fatalf("a message of %d bytes", m.Len)
			}
			got = append(got, uint64(m.Off))
			of[m.Slab]++
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("held: %v, want %v", got, want)
	}
	for id, n := range of {
		if refs := slabs.Refs(uint16(id)); refs != n {
			t.Fatalf("slab %d has %d references for %d messages", id, refs, n)
		}
	}
}

// TestAsking: a worker that parks while it is asked answers.
func TestAsking(t *testing.T) {
	rounds := 200_000
	if testing.Short() {
		rounds = 50_000
	}
	var events ring.EventCount
	pool, err := New(Config{
		Workers: 2, Ring: 16, InFlight: 16, Slabs: NewSlabs(1, func(uint16) {}),
		Sink: byCode(func(worker.Message) worker.Code { return worker.OK }), Events: &events, Wake: func() {},
	})
	if err != nil {
		t.Fatal(err)
	}
	pool.Start()
	for i := range rounds {
		var deadline time.Time // of this round: the machine may be busy
		pool.Ask()
		for k, all := 1, false; !all; k++ {
			for _, w := range pool.Workers() {
				for w.Out().Next() != nil {
				}
				w.ReleaseReplies()
			}
			if _, all = pool.Held(); k%64 == 0 {
				runtime.Gosched()
			}
			if k == 1<<16 {
				deadline = time.Now().Add(20 * time.Second)
			}
			if k%(1<<16) == 0 && time.Now().After(deadline) {
				t.Errorf("no answer in round %d", i)
				all = true
			}
		}
		if t.Failed() {
			break
		}
	}
	if err := pool.Stop(); err != nil {
		t.Error(err)
	}
}

// BenchmarkHeld measures an answer of a worker with 65,536 pending messages.
func BenchmarkHeld(b *testing.B) {
	slabs := NewSlabs(1, func(uint16) {})
	var events ring.EventCount
	pool, err := New(Config{
		Workers: 1, Ring: 1 << 16, InFlight: 1 << 16, Slabs: slabs, Sink: &askedSink{dead: true},
		Events: &events, Wake: func() {}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1 << 16 {
		pool.workers[0].main.pending.add(oneRun(Desc{Seq: uint64(i)}, []span{Span(uint32(i), 1)}))
	}
	for b.Loop() {
		pool.Ask()
		pool.workers[0].answer()
		lists, _ := pool.Held()
		if len(lists[0]) != 1<<16 {
			b.Fatal(len(lists[0]))
		}
		for pool.workers[0].Out().Next() != nil {
		}
		pool.workers[0].Out().Release()
	}
}
