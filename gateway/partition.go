package gateway

import (
	"feedgate/gateway/internal/pool"
	"feedgate/gateway/wire"
)

// share is one worker's messages of those that are being partitioned by key.
type share struct {
	n    int // messages so far
	room int // how many it can have

	spans     [pool.MaxRun]uint64
	distances [pool.MaxRun]uint16 // from the first of all the messages
}

// partition gives each message to the worker for its key: messages from the head of msgs, as many as
// form one run and fit the rings. It returns how many these are.
func (r *receiver) partition(msgs []wire.Msg) int {
	msgs = msgs[:min(len(msgs), pool.MaxRun)]
	for i := range r.shares {
		r.shares[i].n, r.shares[i].room = 0, r.room(i, len(msgs))
	}
	first, n := runStart(msgs), 0
	for ; n < len(msgs) && first.continuedBy(&msgs[n], n); n++ {
		m := &msgs[n]
		s := &r.shares[r.workerFor(m)]
		if s.n >= s.room {
			break
		}
		s.spans[s.n], s.distances[s.n] = pool.Span(m.Off, m.Len), uint16(n)
		s.n++
	}
	for i := range r.shares {
		if s := &r.shares[i]; s.n > 0 {
			distances := s.distances[:s.n]
			if s.n == n {
				distances = nil
			}
			r.l.workers[i].In().Add(r.descriptor(&msgs[0]), s.spans[:s.n], distances)
			r.l.outstanding[i] += s.n
			r.unpublished = append(r.unpublished, i)
		}
	}
	return n
}

// room returns how many messages, at most n, worker i can have now.
func (r *receiver) room(i, n int) int {
	if n = min(n, r.l.allowance(i)); n <= 0 {
		return 0
	}
	return r.l.workers[i].In().Room(n)
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
