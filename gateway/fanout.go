package gateway

import (
	"math"

	"feedgate/gateway/internal/pool"
	"feedgate/gateway/wire"
	"feedgate/worker"
)

// reserveNext picks the next worker with space, in turn, and reserves up to n entries in its ring.
func (r *receiver) reserveNext(n int) (int, []uint64) {
	for k := range r.l.workers {
		i := r.nextWorker + k
		if i >= len(r.l.workers) {
			i -= len(r.l.workers)
		}
		if slots := r.reserve(i, n); len(slots) > 0 {
			return i, slots
		}
	}
	return 0, nil
}

// allowance returns how many more messages worker i may have: up to its own allowance or, with
// Traits.HoldBack, up to its share of what the peer may have in flight.
func (l *loop) allowance(i int) int {
	switch {
	case !l.set.codec.HoldBack:
		return l.workers[i].Allowance() - l.outstanding[i]
	case l.set.share > 0:
		return l.set.share - l.outstanding[i]
	}
	return math.MaxInt
}

// workerFor returns the index of the worker for m's key.
func (r *receiver) workerFor(m *wire.Msg) int {
	var h uint64
	slab := r.slabOf(m)
	if r.keyer == nil {
		h = r.l.set.selector.Hash(slab.data[m.Off : m.Off+m.Len])
	} else {
		h = r.keyer.Hash(r.l.slabs.table.At(slab.id).Message(pool.Span(m.Off, m.Len), m.Seq, m.Tag))
	}
	return int((h >> 32) * uint64(len(r.l.workers)) >> 32)
}

// dispatchRun gives messages from the head of msgs to workers, as many as have consecutive numbers,
// are in one slab and fit the rings. It returns how many these are.
func (r *receiver) dispatchRun(msgs []wire.Msg, late bool) int {
	if msgs[0].Side {
		msgs = msgs[:min(len(msgs), r.copiedTo-r.next)]
	}
	var n int
	if r.l.set.selector != nil {
		n = r.fillKeyed(msgs)
	} else {
		n = r.fillSpread(msgs)
	}
	if n > 0 {
		r.l.track.Add(msgs[0].Seq, n, late)
		r.slabOf(&msgs[0]).dispatched += n
		r.l.stats.Messages.Add(uint64(n))
		if r.l.set.selector == nil {
			r.publish()
		}
	}
	return n
}

func (r *receiver) fillSpread(msgs []wire.Msg) int {
	share := (len(r.input.Msgs) + len(r.l.workers) - 1) / len(r.l.workers)
	i, spans := r.reserveNext(min(len(msgs), max(share, 1), pool.MaxRun))
	if len(spans) == 0 {
		return 0
	}
	n := r.fill(spans, msgs)
	r.commit(r.l.workers[i], &msgs[0], 0, n)
	r.l.outstanding[i] += n
	r.unpublished = append(r.unpublished, i)
	r.nextWorker = i + 1
	if r.nextWorker == len(r.l.workers) {
		r.nextWorker = 0
	}
	return n
}

// fill writes the spans of the messages of one run: the first of msgs and those that continue it.
func (r *receiver) fill(spans []uint64, msgs []wire.Msg) int {
	seq, tag, side := msgs[0].Seq, msgs[0].Tag, msgs[0].Side
	msgs = msgs[:min(len(spans), len(msgs))]
	for i := range msgs {
		m := &msgs[i]
		if m.Seq != seq+uint64(i) || m.Tag != tag || m.Side != side || m.Code != worker.OK {
			return i
		}
		spans[i] = pool.Span(m.Off, m.Len)
	}
	return len(msgs)
}

// commit writes the descriptor of a run of n filled spans, whose first message is m. Its slot is
// offset after the tracker's next.
func (r *receiver) commit(w *pool.Worker, m *wire.Msg, offset, n int) {
	w.In().Commit(pool.Desc{
		Seq: m.Seq, Slot: uint32(r.l.track.Next()) + uint32(offset), Slab: r.slabOf(m).id, Tag: m.Tag,
	}, n)
}

// reserve reserves ring entries for up to n messages, as many as worker i may have.
func (r *receiver) reserve(i, n int) []uint64 {
	if n = min(n, r.l.allowance(i)); n <= 0 {
		return nil
	}
	return r.l.workers[i].In().Reserve(n)
}

// fillKeyed gives each message to the worker for its key. Consecutive messages for the same worker
// share a run.
func (r *receiver) fillKeyed(msgs []wire.Msg) int {
	n, side := 0, msgs[0].Side
	w := r.workerFor(&msgs[0])
	for n < len(msgs) && msgs[n].Seq == msgs[0].Seq+uint64(n) && msgs[n].Side == side && msgs[n].Code == worker.OK {
		same, next := n+1, w
		for same < len(msgs) && msgs[same].Side == side && msgs[same].Code == worker.OK {
			if next = r.workerFor(&msgs[same]); next != w || same-n == pool.MaxRun {
				break
			}
			same++
		}
		spans := r.reserve(w, same-n)
		if len(spans) == 0 {
			break
		}
		k := r.fill(spans, msgs[n:same])
		r.commit(r.l.workers[w], &msgs[n], n, k)
		r.l.outstanding[w] += k
		n += k
		if n == same {
			w = next
		}
	}
	return n
}

// publish publishes the committed descriptors and wakes the workers that are parked. It is called at
// the end of each dispatch, so nothing stays committed and unpublished.
func (r *receiver) publish() {
	if r.l.set.selector != nil {
		for _, w := range r.l.workers {
			w.In().Publish()
			w.Wake()
		}
		return
	}
	for _, i := range r.unpublished {
		w := r.l.workers[i]
		w.In().Publish()
		w.Wake()
	}
	r.unpublished = r.unpublished[:0]
}
