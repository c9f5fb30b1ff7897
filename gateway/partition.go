package gateway

import (
	"feedgate/gateway/internal/pool"
	"feedgate/gateway/wire"
	"feedgate/worker/selector"
)

// partitioner gives each message to the worker for its key, in three passes over the next messages: which
// of them form a run, the hashes of their keys, and their workers.
type partitioner struct {
	selector *selector.Selector
	keyer    *selector.Keyer // for keys from part of a message's bytes or from metadata; nil: from all bytes
	shares   []share         // by worker

	spans  [pool.MaxRun]uint64      // of the run
	hashes [wire.DecodeBatch]uint64 // by index in input.Msgs; known before hashed
	hashed int
}

// share is one worker's messages of a run.
type share struct {
	n    int // messages so far
	free int // how many it can have

	distances [pool.MaxRun]uint16 // from the first of the run
}

func newPartitioner(set *settings, workers int) *partitioner {
	s, meta := set.selector, set.codec.Meta
	p := &partitioner{selector: s, shares: make([]share, workers)}
	if s.NeedsMeta() || meta != nil && meta.Split != nil {
		p.keyer = selector.NewKeyer(s)
	}
	return p
}

// partition gives messages from the head of msgs, which are the next ones, to the workers for their keys:
// as many as form one run and fit the rings. It returns how many these are.
func (r *receiver) partition(msgs []wire.Msg) int {
	p := r.byKey
	n := r.fill(p.spans[:], msgs)
	if len(p.shares) == 1 {
		n = r.freeFor(0, n)
		r.add(0, msgs, p.spans[:n], nil)
		return n
	}
	for i := range p.shares {
		p.shares[i].n, p.shares[i].free = 0, r.freeFor(i, n)
	}
	r.hash(msgs[:n])
	hashes := p.hashes[r.next : r.next+n]
	if w := workerOf(hashes[0], len(p.shares)); p.allFor(w, hashes) {
		n = min(n, p.shares[w].free)
		r.add(w, msgs, p.spans[:n], nil)
		return n
	}
	n = p.scatter(hashes)
	for i := range p.shares {
		s := &p.shares[i]
		r.add(i, msgs, p.spans[:n], s.distances[:s.n])
	}
	return n
}

// allFor reports whether all messages are for the same worker. If a key follows itself often, sorting this
// case out makes the loop a tenth faster.
func (p *partitioner) allFor(worker int, hashes []uint64) bool {
	for _, h := range hashes {
		if workerOf(h, len(p.shares)) != worker {
			return false
		}
	}
	return true
}

// scatter adds the messages with these hashes to the shares of their workers, up to the first one whose
// worker is full. It returns how many it has added.
func (p *partitioner) scatter(hashes []uint64) int {
	for i, h := range hashes {
		s := &p.shares[workerOf(h, len(p.shares))]
		if s.n >= s.free {
			return i
		}
		s.distances[s.n] = uint16(i)
		s.n++
	}
	return len(hashes)
}

// add gives messages to a worker that has space: those of spans at the distances or, if distances is nil,
// all. The first of msgs is at distance 0.
func (r *receiver) add(worker int, msgs []wire.Msg, spans []uint64, distances []uint16) {
	n := len(distances)
	if distances == nil {
		n = len(spans)
	}
	if n == 0 {
		return
	}
	r.l.workers[worker].In().Add(r.descriptor(&msgs[0]), spans, distances)
	r.l.outstanding[worker] += n
	r.unpublished = append(r.unpublished, worker)
}

// workerOf returns the worker for a hash.
func workerOf(hash uint64, workers int) int { return int((hash >> 32) * uint64(workers) >> 32) }

// hash computes the missing hashes of msgs, which are the next ones. p.spans has their spans.
func (r *receiver) hash(msgs []wire.Msg) {
	p := r.byKey
	p.hashed = max(p.hashed, r.next)
	known, end := p.hashed-r.next, r.next+len(msgs)
	if p.hashed >= end {
		return
	}
	missing, spans, hashes := msgs[known:], p.spans[known:len(msgs)], p.hashes[p.hashed:end]
	p.hashed = end
	slab := r.slabOf(&missing[0])
	if p.keyer == nil {
		p.selector.HashAll(hashes, slab.data, spans)
		return
	}
	buffer := r.l.slabs.table.At(slab.id)
	for i := range missing {
		hashes[i] = p.keyer.Hash(buffer.Message(spans[i], missing[i].Seq, missing[i].Tag))
	}
}

// workerFor returns the worker for the key of the first of msgs, which are the next ones.
func (r *receiver) workerFor(msgs []wire.Msg) int {
	if len(r.byKey.shares) == 1 {
		return 0
	}
	r.fill(r.byKey.spans[:1], msgs)
	r.hash(msgs[:1])
	return workerOf(r.byKey.hashes[r.next], len(r.byKey.shares))
}

// freeFor returns how many messages, at most n, worker i can have now.
func (r *receiver) freeFor(i, n int) int {
	if n = min(n, r.l.allowance(i)); n <= 0 {
		return 0
	}
	return r.l.workers[i].In().Free(n)
}
