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

// dispatchRun gives messages from the head of msgs to workers, as many as have consecutive numbers,
// are in one slab and fit the rings. It returns how many these are.
func (r *receiver) dispatchRun(msgs []wire.Msg, late bool) int {
	if msgs[0].Side {
		msgs = msgs[:min(len(msgs), r.copiedTo-r.next)]
	}
	var n int
	if r.byKey != nil {
		n = r.partition(msgs)
	} else {
		n = r.fillSpread(msgs)
	}
	if n > 0 {
		r.l.track.Add(msgs[0].Seq, n, late)
		r.slabOf(&msgs[0]).dispatched += n
		r.l.stats.Messages.Add(uint64(n))
		if r.byKey == nil {
			r.publish() // by key, all workers get their messages at the end of the dispatch
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
	r.l.workers[i].In().Commit(r.descriptor(&msgs[0]), n)
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

// descriptor returns the descriptor of m, which gets the next slot.
func (r *receiver) descriptor(m *wire.Msg) pool.Desc {
	return pool.Desc{Seq: m.Seq, Slot: uint32(r.l.track.Next()), Slab: r.slabOf(m).id, Tag: m.Tag}
}

// reserve reserves ring entries for up to n messages, as many as worker i may have.
func (r *receiver) reserve(i, n int) []uint64 {
	if n = min(n, r.l.allowance(i)); n <= 0 {
		return nil
	}
	return r.l.workers[i].In().Reserve(n)
}

// publish publishes the committed descriptors and wakes the workers that are parked. It is called at
// the end of each dispatch, so nothing stays committed and unpublished.
func (r *receiver) publish() {
	for _, i := range r.unpublished {
		w := r.l.workers[i]
		w.In().Publish()
		w.Wake()
	}
	r.unpublished = r.unpublished[:0]
}
