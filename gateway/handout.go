package gateway

import (
	"math"

	"feedgate/gateway/internal/pool"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// spread picks the next worker with room, in turn, and reserves up to n slots in its ring.
func (in *intake) spread(n int) (int, []uint64) {
	for k := range in.l.workers {
		i := in.turnTo + k
		if i >= len(in.l.workers) {
			i -= len(in.l.workers)
		}
		if slots := in.reserve(i, n); len(slots) > 0 {
			return i, slots
		}
	}
	return 0, nil
}

// vacancies is how many more messages worker i may have: its allowance, or, where the
// pool holds back itself, its share of what the peer may have in flight.
func (l *loop) vacancies(i int) int {
	switch {
	case !l.set.codec.HoldBack:
		return l.workers[i].Allowance() - l.given[i]
	case l.set.share > 0:
		return l.set.share - l.given[i]
	}
	return math.MaxInt
}

// keyed is the index of the worker that m's key belongs to.
func (in *intake) keyed(m *wire.Msg) int {
	var h uint64
	slab := in.slabOf(m)
	if in.keyer == nil {
		h = in.l.set.selector.Hash(slab.data[m.Off : m.Off+m.Len])
	} else {
		h = in.keyer.Hash(in.l.slabs.table.At(slab.id).Message(pool.Span(m.Off, m.Len), m.Seq, m.Tag))
	}
	return int((h >> 32) * uint64(len(in.l.workers)) >> 32)
}

// dispatchRun gives the messages at the head of msgs that have consecutive
// numbers and lie in one slab to workers, as many as go at once, and returns how many.
func (in *intake) dispatchRun(msgs []wire.Msg, late bool) int {
	if msgs[0].Side {
		msgs = msgs[:min(len(msgs), in.copied-in.next)]
	}
	var n int
	if in.l.set.selector != nil {
		n = in.fillKeyed(msgs)
	} else {
		n = in.fillSpread(msgs)
	}
	if n > 0 {
		in.l.track.Add(msgs[0].Seq, n, late)
		in.slabOf(&msgs[0]).dispatched += n
		in.l.stats.Messages.Add(uint64(n))
		if in.l.set.selector == nil {
			in.publish()
		}
	}
	return n
}

func (in *intake) fillSpread(msgs []wire.Msg) int {
	share := (len(in.cur.Msgs) + len(in.l.workers) - 1) / len(in.l.workers)
	i, spans := in.spread(min(len(msgs), max(share, 1), pool.MaxRun))
	if len(spans) == 0 {
		return 0
	}
	n := in.fill(spans, msgs)
	in.commit(in.l.workers[i], &msgs[0], 0, n)
	in.l.given[i] += n
	in.dirty = append(in.dirty, i)
	in.turnTo = i + 1
	if in.turnTo == len(in.l.workers) {
		in.turnTo = 0
	}
	return n
}

// fill writes the spans of messages that follow the first of msgs in every way.
func (in *intake) fill(spans []uint64, msgs []wire.Msg) int {
	seq, aux, own := msgs[0].Seq, msgs[0].Tag, msgs[0].Side
	msgs = msgs[:min(len(spans), len(msgs))]
	for i := range msgs {
		m := &msgs[i]
		if m.Seq != seq+uint64(i) || m.Tag != aux || m.Side != own || m.Code != worker.OK {
			return i
		}
		spans[i] = pool.Span(m.Off, m.Len)
	}
	return len(msgs)
}

// commit heads n spans that are filled; the first message gets the offset-th slot
// from the next on.
func (in *intake) commit(w *pool.Worker, m *wire.Msg, offset, n int) {
	w.In().Commit(pool.Desc{
		Seq: m.Seq, Slot: uint32(in.l.track.Next()) + uint32(offset), Slab: in.slabOf(m).id, Tag: m.Tag,
	}, n)
}

// reserve reserves slots for up to n messages of worker i, as many as it may have.
func (in *intake) reserve(i, n int) []uint64 {
	if n = min(n, in.l.vacancies(i)); n <= 0 {
		return nil
	}
	return in.l.workers[i].In().Reserve(n)
}

// fillKeyed gives each message to the worker of its key; neighbours with one
// worker share a run.
func (in *intake) fillKeyed(msgs []wire.Msg) int {
	n, own := 0, msgs[0].Side
	w := in.keyed(&msgs[0])
	for n < len(msgs) && msgs[n].Seq == msgs[0].Seq+uint64(n) && msgs[n].Side == own && msgs[n].Code == worker.OK {
		same, next := n+1, w
		for same < len(msgs) && msgs[same].Side == own && msgs[same].Code == worker.OK {
			if next = in.keyed(&msgs[same]); next != w || same-n == pool.MaxRun {
				break
			}
			same++
		}
		spans := in.reserve(w, same-n)
		if len(spans) == 0 {
			break
		}
		k := in.fill(spans, msgs[n:same])
		in.commit(in.l.workers[w], &msgs[n], n, k)
		in.l.given[w] += k
		n += k
		if n == same {
			w = next
		}
	}
	return n
}

// publish hands committed descriptors to their workers and wakes those that are
// parked. Nothing committed outlives a dispatch.
func (in *intake) publish() {
	if in.l.set.selector != nil {
		for _, w := range in.l.workers {
			w.In().Publish()
			w.Wake()
		}
		return
	}
	for _, i := range in.dirty {
		w := in.l.workers[i]
		w.In().Publish()
		w.Wake()
	}
	in.dirty = in.dirty[:0]
}
