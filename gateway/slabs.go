package gateway

import (
	"fmt"
	"runtime"
	"time"

	"github.com/Workiva/go-datastructures/queue"

	"feedgate/gateway/internal/pool"
	"feedgate/worker"
	"feedgate/worker/offheap"
)

// slabRetry is how long the loop waits before it retries an allocation that failed.
const slabRetry = 100 * time.Millisecond

const (
	slabSize = 1024 << 10 // size of a regular slab in bytes, unless --memory is small or huge
	minSlab  = 512        // its lower bound
	// slabSlots is the number of table slots for each slab that fits the limit. There are more slots
	// than such slabs because a trimmed slab counts only in part.
	slabSlots = 16
	// loopRefs is the number of references that the loop holds to the slab it fills. It exceeds the
	// number of messages in a slab, so workers cannot free the slab before the loop releases it.
	loopRefs = 1 << 30
)

// slabPool allocates read buffers, called slabs, of up to --memory bytes in total. Slabs longer than
// the regular size are multiples of half of it: a message of --max-message with its head needs little
// more. Workers return slabs through an MPMC ring that only the loop empties. The slab freed last is
// reused first, while it is still in the cache.
type slabPool struct {
	table       *pool.Slabs
	memory      offheap.Memory
	size        int   // of a regular slab, in bytes; even
	maxFrame    int   // longest frame, in bytes
	limit       int64 // bytes
	twoLongest  int64 // size of two of the longest slabs, in bytes
	used        int64 // bytes of all slabs, in use or free, without trimmed pages
	external    int64 // bytes of the limit used outside slabs: by Input.Side and by waiting acks
	waitingAcks int64 // bytes of waiting acks
	acksDouble  bool  // a message's bytes may be in memory twice: in its slab and in a waiting ack

	allocErr error // of the last allocation

	uses   []slabUse // by id
	asks   int       // how often the workers were asked which messages are in use
	asking bool      // not all workers have answered
	wanted int64     // bytes of the slab that the limit did not allow; 0: none

	free       map[int][]uint16 // by size
	emptySlots []uint16         // table slots without memory

	origin *worker.Origin // for the messages in slabs allocated from now on

	freed    *queue.RingBuffer // ids, from the goroutines that released the last reference
	boxedIDs []any             // so that putting an id into freed does not allocate
}

// newSlabPool makes a pool for frames of up to frame bytes. Two of the longest slabs must fit at any
// time, so that a frame can be moved from one to the other. If --memory is smaller than that, which
// can happen only with very short messages, the limit is raised.
func newSlabPool(memory, frame int64) *slabPool {
	memory = max(memory, 4*frame)
	size := slabSize
	for size > minSlab && int64(size)*16 > memory {
		size /= 2
	}
	for memory/int64(size) >= pool.MaxSlabs {
		size *= 2
	}
	longest := int64(slabFor(int(frame), size))
	memory = max(memory, 2*longest)
	slots := min(slabSlots*int(memory/int64(size)), pool.MaxSlabs)
	p := &slabPool{
		size: size, maxFrame: int(frame), limit: memory, twoLongest: 2 * longest, free: make(map[int][]uint16),
		memory: offheap.Default, uses: make([]slabUse, slots),
		freed:    queue.NewRingBuffer(uint64(2 * slots)),
		boxedIDs: make([]any, slots),
	}
	for i := range slots {
		p.boxedIDs[i] = uint16(i)
		p.emptySlots = append(p.emptySlots, uint16(slots-1-i))
	}
	p.table = pool.NewSlabs(slots, p.putBack)
	return p
}

// slabFor returns the size of a slab for n bytes, where size is that of a regular slab.
func slabFor(n, size int) int {
	half := size / 2
	return (max(n, size) + half - 1) / half * half
}

// putBack is called on the goroutine that released the last reference. The ring has space for all
// slabs, but Offer can fail while another goroutine is in the middle of an Offer.
func (p *slabPool) putBack(id uint16) {
	for {
		ok, err := p.freed.Offer(p.boxedIDs[id])
		if err != nil {
			panic(fmt.Sprintf("gateway: slab ring: %v", err))
		}
		if ok {
			return
		}
		runtime.Gosched()
	}
}

// collectFreed moves slabs that workers have freed to the free lists.
func (p *slabPool) collectFreed() {
	for p.freed.Len() > 0 {
		v, err := p.freed.Get()
		if err != nil {
			panic(fmt.Sprintf("gateway: slab ring: %v", err))
		}
		id := v.(uint16)
		if p.uses[id].trimmed {
			p.unmap(id)
			continue
		}
		data := p.table.At(id).Data
		p.memory.Recycle(data)
		p.uses[id] = slabUse{counted: len(data)}
		p.free[len(data)] = append(p.free[len(data)], id)
	}
}

// get returns a slab of at least n bytes for messages of the current origin, with loopRefs references.
// It returns false if memory does not allow one now.
func (p *slabPool) get(n int) (uint16, bool) {
	id, ok := p.find(n)
	if ok {
		p.table.At(id).Origin = p.origin
		p.table.Hold(id, loopRefs)
	}
	return id, ok
}

// find returns a free slab of at least n bytes, or allocates one.
func (p *slabPool) find(n int) (uint16, bool) {
	p.collectFreed()
	size := slabFor(n, p.size)
	if list := p.free[size]; len(list) > 0 {
		id := list[len(list)-1]
		p.free[size] = list[:len(list)-1]
		p.allocErr = nil // the shortage is over
		return id, true
	}
	if !p.makeSpace(int64(size)) {
		p.wanted = int64(size)
		return 0, false
	}
	if len(p.emptySlots) == 0 {
		return 0, false
	}
	data, err := p.memory.Alloc(size)
	if p.allocErr = err; err != nil {
		return 0, false
	}
	id := p.emptySlots[len(p.emptySlots)-1]
	p.emptySlots = p.emptySlots[:len(p.emptySlots)-1]
	p.table.At(id).Data = data
	p.uses[id].counted = size
	p.used += int64(size)
	return id, true
}

// makeSpace unmaps free slabs until size more bytes fit the limit, and one more slab fits the table.
func (p *slabPool) makeSpace(size int64) bool {
	most := p.slabLimit()
	for length, list := range p.free {
		for (p.used+size > most || len(p.emptySlots) == 0) && len(list) > 0 {
			p.unmap(list[len(list)-1])
			list = list[:len(list)-1]
		}
		p.free[length] = list
	}
	return p.used+size <= most
}

// slabLimit returns how many bytes slabs may use: always enough for two of the longest.
func (p *slabPool) slabLimit() int64 {
	left := p.limit - p.external
	if p.acksDouble {
		left /= 2
	}
	return max(left, p.twoLongest)
}

// setExternal records how many bytes of the limit are used outside slabs; waiting acks use acks of
// these. It unmaps free slabs that no longer fit.
func (p *slabPool) setExternal(bytes, acks int64) {
	p.external, p.waitingAcks = bytes, acks
	if p.used > p.slabLimit() {
		p.collectFreed()
		p.makeSpace(0)
	}
}

// fullOfAcks reports whether waiting acks leave space for no more than two of the longest slabs.
// Reading then stops, although these could be allocated: reading would only add waiting acks.
//
// This is no deadlock: an ack waits for the ack of an older message, or for the peer to read. The older
// message is with a worker, which can resolve it without the loop. If its handler waits for a fuller
// batch, it is flushed (loop.reportBlocked).
func (p *slabPool) fullOfAcks() bool {
	return p.waitingAcks > 0 && p.waitingAcks >= p.limit-p.twoLongest
}

func (p *slabPool) unmap(id uint16) {
	slab := p.table.At(id)
	p.used -= int64(p.uses[id].counted)
	p.uses[id] = slabUse{}
	p.memory.Free(slab.Data)
	slab.Data = nil
	p.emptySlots = append(p.emptySlots, id)
}

// release drops the loop's references to a slab, except one for each of the dispatched messages, which
// the workers release.
func (p *slabPool) release(id uint16, dispatched int) {
	u := &p.uses[id]
	u.released, u.dispatched, u.asks = true, dispatched, p.asks
	p.table.Release(id, loopRefs-dispatched)
}

// idle reports whether the workers are done with all messages dispatched from a slab that the loop has
// not released.
func (p *slabPool) idle(id uint16, dispatched int) bool {
	return p.table.Refs(id) == loopRefs-dispatched
}

// close unmaps the slabs, once the workers have ended and their handlers are closed. Slabs of messages
// that were deferred and never resolved stay mapped until the process ends: they may still be read.
func (p *slabPool) close() {
	for id := range p.table.Len() {
		if slab := p.table.At(uint16(id)); slab.Data != nil && p.table.Refs(uint16(id)) == 0 {
			p.memory.Free(slab.Data)
			slab.Data = nil
		}
	}
}
