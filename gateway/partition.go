package gateway

import (
	"feedgate/gateway/internal/pool"
	"feedgate/gateway/wire"
	"feedgate/worker/selector"
)

// partitioner gives each message to the worker for its key, in three passes over a run of messages:
// which belong to the run, their hashes, and their workers.
type partitioner struct {
	selector *selector.Selector
	keyer    *selector.Keyer // for keys from part of a message's bytes or from metadata; nil: from all bytes
	shares   []share         // by worker

	spans  [pool.MaxRun]uint64
	hashes [wire.DecodeBatch]uint64 // by index in input.Msgs, before hashed
	hashed int
}

// share is one worker's messages of those that are being partitioned.
type share struct {
	n    int // messages so far
	room int // how many it can have

	spans     [pool.MaxRun]uint64
	distances [pool.MaxRun]uint16 // from the first of all the messages
}

func newPartitioner(set *settings, workers int) *partitioner {
	s, meta := set.selector, set.codec.Meta
	p := &partitioner{selector: s, shares: make([]share, workers)}
	if s.NeedsMeta() || meta != nil && meta.Split != nil {
		p.keyer = selector.NewKeyer(s)
	}
	return p
}

// partition gives messages from the head of msgs, which are the next, to the workers for their keys: as
// many as form one run and fit the rings. It returns how many these are.
func (r *receiver) partition(msgs []wire.Msg) int {
	p := r.byKey
	n := r.fill(p.spans[:], msgs)
	for i := range p.shares {
		p.shares[i].n, p.shares[i].room = 0, r.room(i, n)
	}
	r.hash(msgs[:n])
	hashes := p.hashes[r.next : r.next+n]
	if w := workerOf(hashes[0], len(p.shares)); p.allFor(w, hashes) {
		n = min(n, p.shares[w].room)
		r.give(w, msgs, p.spans[:n], nil)
		return n
	}
	n = p.scatter(hashes)
	for i := range p.shares {
		if s := &p.shares[i]; s.n > 0 {
			distances := s.distances[:s.n]
			if s.n == n {
				distances = nil
			}
			r.give(i, msgs, s.spans[:s.n], distances)
		}
	}
	return n
}

// give gives messages, at their distances from the first of msgs, to a worker that has room.
func (r *receiver) give(worker int, msgs []wire.Msg, spans []uint64, distances []uint16) {
	r.l.workers[worker].In().Add(r.descriptor(&msgs[0]), spans, distances)
	r.l.outstanding[worker] += len(spans)
	r.unpublished = append(r.unpublished, worker)
}

// allFor reports whether all messages are for the same worker, as when one key follows itself.
func (p *partitioner) allFor(worker int, hashes []uint64) bool {
	for _, h := range hashes {
		if workerOf(h, len(p.shares)) != worker {
			return false
		}
	}
	return true
}

// scatter adds the messages in spans with these hashes to the shares of their workers, up to the first
// one whose worker has no room. It returns how many it has added.
func (p *partitioner) scatter(hashes []uint64) int {
	for i, h := range hashes {
		s := &p.shares[workerOf(h, len(p.shares))]
		if s.n >= s.room {
			return i
		}
		s.spans[s.n], s.distances[s.n] = p.spans[i], uint16(i)
		s.n++
	}
	return len(hashes)
}

// workerOf returns the worker for a hash.
func workerOf(hash uint64, workers int) int { return int((hash >> 32) * uint64(workers) >> 32) }

// hash ensures that the hashes of the next messages are known. They are those of a run, whose spans
// are known.
func (r *receiver) hash(run []wire.Msg) {
	p := r.byKey
	p.hashed = max(p.hashed, r.next)
	known := min(p.hashed-r.next, len(run))
	run, spans := run[known:], p.spans[known:len(run)]
	if len(run) == 0 {
		return
	}
	hashes, slab := p.hashes[p.hashed:p.hashed+len(run)], r.slabOf(&run[0])
	p.hashed += len(run)
	if p.keyer == nil {
		p.selector.HashAll(hashes, slab.data, spans)
		return
	}
	buffer := r.l.slabs.table.At(slab.id)
	for i := range run {
		hashes[i] = p.keyer.Hash(buffer.Message(spans[i], run[i].Seq, run[i].Tag))
	}
}

// workerFor returns the index of the worker for the key of the next message.
func (r *receiver) workerFor(m []wire.Msg) int {
	r.fill(r.byKey.spans[:1], m)
	r.hash(m[:1])
	return workerOf(r.byKey.hashes[r.next], len(r.byKey.shares))
}

// room returns how many messages, at most n, worker i can have now.
func (r *receiver) room(i, n int) int {
	if n = min(n, r.l.allowance(i)); n <= 0 {
		return 0
	}
	return r.l.workers[i].In().Room(n)
}
