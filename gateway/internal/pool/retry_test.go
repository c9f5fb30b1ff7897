package pool

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"feedgate/worker"
)

// TestDueInOrder: tries come out of the heap in the order in which they are due.
func TestDueInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h dueHeap
		var model []time.Duration
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(model) > 0 && rapid.IntRange(0, 2).Draw(t, "what") == 0 {
				slices.Sort(model)
				if got := h.pop(); got.at != model[0] || got.desc.Seq != uint64(got.at) {
					t.Fatalf("%v, of message %d, is next, want %v", got.at, got.desc.Seq, model[0])
				}
				model = model[1:]
				continue
			}
			at := time.Duration(rapid.IntRange(0, 50).Draw(t, "at"))
			h.push(dueTry{Desc{Seq: uint64(at)}, at})
			model = append(model, at)
		}
		if len(h) != len(model) {
			t.Fatalf("%d wait, want %d", len(h), len(model))
		}
	})
}

// TestWaitingStaysInItsSlab: a message that waits for its next try or for its key is not copied: it
// keeps a reference to its slab, and each try gets the same bytes.
func TestWaitingStaysInItsSlab(t *testing.T) {
	at := map[*byte]int{}
	p := newPaced(t, 0, func(*paced) worker.Sink {
		return byCode(func(m worker.Message) worker.Code {
			at[unsafe.SliceData(m.Data)]++
			return worker.Refused
		})
	}, func(cfg *Config) {
		cfg.Retries, cfg.RetryMin, cfg.Key = 2, time.Second, mustSelect(t, "bytes:0:1")
	})
	slab := p.w.slabs.At(0)
	slab.Data = []byte("a1a2b1")
	held := p.w.slabs.Refs(0)
	for i := range uint32(3) {
		p.w.In().Reserve(1)[0] = Span(2*i, 2)
		p.w.In().Commit(Desc{Seq: uint64(i) + 1, Slot: i}, 1)
	}
	p.w.In().Publish()
	turns := func() {
		for p.pool.Turn(0) {
		}
	}
	turns()
	// a1 and b1 have failed, a2 waits for a1.
	var waiting []uint64
	for d := range p.w.retry.waiting {
		waiting = append(waiting, d.Seq)
	}
	slices.Sort(waiting)
	if !slices.Equal(waiting, []uint64{1, 2, 3}) || len(at) != 2 || p.w.slabs.Refs(0) != held {
		t.Fatalf("%v wait, %d were handled, %d references of %d", waiting, len(at), p.w.slabs.Refs(0), held)
	}
	for range 6 { // waits of 1 s and 2 s, for a1 and then for a2
		p.clock += time.Second
		turns()
	}
	for i := range 3 {
		if n := at[&slab.Data[2*i]]; n != 3 {
			t.Errorf("message %d was handled %d times where it lies, want 3", i+1, n)
		}
	}
	if n := p.w.slabs.Refs(0); n != held-3 {
		t.Errorf("%d references are left of %d, want %d", n, held, held-3)
	}
	r := p.w.retry
	if !r.idle() || len(r.failed)+len(r.heldKeys)+len(r.keyQueues) > 0 {
		t.Errorf("left behind: %v, %v, %v", r.failed, r.heldKeys, r.keyQueues)
	}
}

// TestRetriesAllocateNothing: once the lists have grown, retries do not allocate.
func TestRetriesAllocateNothing(t *testing.T) {
	p := newPaced(t, 0, func(*paced) worker.Sink {
		return byCode(func(m worker.Message) worker.Code { return worker.Code(m.Data[0]) })
	}, func(cfg *Config) { cfg.Retries, cfg.RetryMin = 1, time.Second })
	p.w.slabs.At(0).Data = []byte{byte(worker.OK), byte(worker.Refused)}
	allocs := testing.AllocsPerRun(100, func() {
		for i := range uint32(64) {
			p.w.In().Reserve(1)[0] = Span(i%2, 1)
			p.w.In().Commit(Desc{Seq: uint64(p.next), Slot: p.next}, 1)
			p.next++
		}
		p.w.In().Publish()
		for range 2 {
			p.clock += time.Second
			for p.pool.Turn(0) {
			}
			n := 0
			for p.w.Out().Next() != nil {
				n++
			}
			p.w.Out().Release()
			p.events.Sub(n)
		}
	})
	if allocs > 0 || !p.w.retry.idle() {
		t.Errorf("%v allocations for 32 retries", allocs)
	}
}
