package pool

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"feedgate/worker"
)

// sent is a message as the loop gave it to a worker.
type sent struct {
	seq  uint64
	slot uint32
	at   span
}

// drawDistances draws n ascending distances, or none.
func drawDistances(t *rapid.T, n int) []uint16 {
	if rapid.Bool().Draw(t, "consecutive") {
		return nil
	}
	distances, at := make([]uint16, n), rapid.IntRange(0, min(3, MaxRun-n)).Draw(t, "first distance")
	for i := range distances {
		distances[i] = uint16(at)
		at = min(at+1+rapid.IntRange(0, 2).Draw(t, "others between"), MaxRun-n+i+1)
	}
	return distances
}

// TestInboxAdd: the worker gets what was added, at any distances, wherever the runs lie in the ring and
// however many messages it takes at once. There is free for what fits.
func TestInboxAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SampledFrom([]int{8, 64, 2048}).Draw(t, "words")
		b := newInbox(words)
		var want []sent
		first := Desc{Seq: rapid.Uint64().Draw(t, "seq"), Slot: rapid.Uint32().Draw(t, "slot"), Slab: MaxSlabs - 1, Tag: 255}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n := rapid.IntRange(1, MaxRun).Draw(t, "n")
				if rapid.Bool().Draw(t, "few") {
					n = min(n, 5)
				}
				free := b.Free(n)
				if free > n || b.Len() == 0 && free < min(n, words/2-MaxWords) {
					t.Fatalf("%d of %d messages are free, %d of %d words are in use", free, n, b.Len(), words)
				}
				if n = free; n == 0 {
					return
				}
				distances, spans := drawDistances(t, n), make([]span, MaxRun)
				for i := range spans {
					spans[i] = rapid.Uint64().Draw(t, "span")
				}
				if distances == nil {
					spans = spans[:n]
				}
				for i := range n {
					d := i
					if distances != nil {
						d = int(distances[i])
					}
					want = append(want, sent{first.Seq + uint64(d), first.Slot + uint32(d), spans[d]})
				}
				b.Add(first, spans, distances)
				b.Publish()
				first.Seq += MaxRun
				first.Slot += MaxRun
			},
			"take": func(t *rapid.T) {
				r := b.next(rapid.IntRange(1, 40).Draw(t, "limit"))
				for len(r.spans) > 0 {
					one := r.cut(1)
					got := sent{one.base.Seq, one.base.Slot, one.spans[0]}
					if len(want) == 0 || got != want[0] || one.base.Slab != MaxSlabs-1 || one.base.Tag != 255 {
						t.Fatalf("got %+v, want %+v", got, want)
					}
					want = want[1:]
				}
			},
			"release": func(*rapid.T) { b.release() },
			"": func(t *rapid.T) {
				held := b.holds(nil)
				if len(held) != len(want) || b.empty() != (len(want) == 0) {
					t.Fatalf("%d messages in the ring, empty %v, want %d", len(held), b.empty(), len(want))
				}
				for i, h := range held {
					if h.Slab != MaxSlabs-1 || Span(h.Off, h.Len) != want[i].at {
						t.Fatalf("message %d in the ring is %+v, want %+v", i, h, want[i])
					}
				}
			},
		})
	})
}

// discardReplies empties nextReply and the ring.
func discardReplies(w *Worker) {
	w.nextReply = nextReply{}
	w.out.Publish()
	for w.Out().Next() != nil {
	}
	w.ReleaseReplies()
	w.records = 0
}

// TestNextReply: replies are to the messages that were resolved, each once and with its code, however
// they are grouped.
func TestNextReply(t *testing.T) {
	sink := gatherSink{open: func(worker.Completer) worker.Handler { return batchHandler{func(worker.Batch) {}} }}
	p := newPaced(t, 0, func(*paced) worker.Sink { return sink })
	rapid.Check(t, func(t *rapid.T) {
		discardReplies(p.w) // of a check that failed
		want, got := map[uint32]worker.Code{}, map[uint32]worker.Code{}
		slot := rapid.SampledFrom([]uint32{0, 1<<32 - 700}).Draw(t, "first slot")
		for range rapid.IntRange(1, 30).Draw(t, "runs") {
			n := rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(200, MaxRun)).Draw(t, "n")
			r := run{base: Desc{Slot: slot}, spans: make([]span, n), distances: drawDistances(t, n)}
			code := rapid.SampledFrom([]worker.Code{worker.OK, worker.OK, worker.OK, worker.Refused}).Draw(t, "code")
			for i := range n {
				want[r.slot(i)] = code
			}
			p.w.extend(&r, code)
			slot = r.slot(n-1) + 1 + rapid.SampledFrom([]uint32{0, 0, 1, 70, 3000}).Draw(t, "others between")
		}
		p.w.flushReply()
		p.w.out.Publish()
		for b := p.w.Out().Next(); b != nil; b = p.w.Out().Next() {
			r, n := p.w.Reply(b), uint32(0)
			for slot := range slotsOf(r) {
				if _, twice := got[slot]; twice {
					t.Fatalf("slot %d has two replies", slot)
				}
				got[slot] = r.Code
				n++
			}
			if n != r.Count || len(r.Bits) > 0 && r.Slot%64 != 0 {
				t.Fatalf("a reply to %d messages has %d slots, from %d", r.Count, n, r.Slot)
			}
		}
		p.w.ReleaseReplies()
		p.w.records = 0
		if !maps.Equal(got, want) {
			t.Fatalf("replies %v, want %v", got, want)
		}
	})
}
