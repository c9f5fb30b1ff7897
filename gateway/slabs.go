package gateway

import (
	"fmt"
	"runtime"
	"time"

	"feedgate/gateway/internal/pool"

	"github.com/Workiva/go-datastructures/queue"

	"feedgate/worker"
	"feedgate/worker/offheap"
)

// slabRetry is how long the loop waits before it asks again for memory that the
// kernel did not give.
const slabRetry = 100 * time.Millisecond

const (
	slabSize = 1024 << 10 // of the usual slab, bytes
	minSlab  = 512
	// slabSlots is how many slabs the table has room for, for each that fits the limit whole:
	// there may be more that are thinned.
	slabSlots = 16
	// loopRefs is the loop's references to the slab that it fills: more than a
	// slab has messages, so that workers cannot free it before the loop lets go.
	loopRefs = 1 << 30
)

// slabPool hands out read buffers, --memory bytes in all. Longer ones than usual are multiples
// of half the usual size: a message of --max-message with its head takes little more. Workers give slabs back through an MPMC ring of which the
// loop is the only taker; the slab freed last is handed out first, while its
// lines are still in the cache.
type slabPool struct {
	table       *pool.Slabs
	memory      offheap.Memory
	size        int   // of the usual slab, bytes; even
	maxFrame    int   // the longest, bytes
	limit       int64 // bytes
	twoLongest  int64 // of two of the longest slabs, bytes
	used        int64 // bytes allocated and not given back, whether handed out or free
	external    int64 // bytes of the limit that are used elsewhere: for Input.Own and for acks
	waitingAcks int64 // bytes of acks that wait
	acksDouble  bool  // a byte in a slab may become one of an ack that waits, before its slab is free

	allocErr error // the kernel gave no memory the last time; nil: it did

	uses   []slabUse // by id
	asks   int       // how often the workers were asked which messages are in use
	asking bool      // they have not all answered
	wanted int64     // bytes of the slab that there was no room for; 0: none was wanted

	free       map[int][]uint16 // by size
	emptySlots []uint16         // table slots without memory

	origin *worker.Origin // of the messages in slabs that are handed out from now on

	freed    *queue.RingBuffer // ids, from whoever released the last reference
	boxedIDs []any             // boxed ids: a put allocates nothing
}

// newSlabPool makes a pool for frames of up to frame bytes. Two of the longest must
// fit at any time, the one that is moved and where it is moved to; a --memory that
// is smaller than their slabs, which only very short messages allow, is stretched.
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

// slabFor is the size of a slab for n bytes, with usual ones of size.
func slabFor(n, size int) int {
	half := size / 2
	return (max(n, size) + half - 1) / half * half
}

// putBack is called by whoever released the last reference. The ring has room
// for all slabs; Offer can still refuse while another goroutine is half-way
// through its own.
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

// collectFreed takes back what workers have released.
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

// get hands out a slab of at least n bytes for messages of the present origin, with the
// loop's share of references; false when memory does not allow it now.
func (p *slabPool) get(n int) (uint16, bool) {
	id, ok := p.find(n)
	if ok {
		p.table.At(id).Origin = p.origin
		p.table.Hold(id, loopRefs)
	}
	return id, ok
}

// find takes a slab of at least n bytes that is free, or can be had.
func (p *slabPool) find(n int) (uint16, bool) {
	p.collectFreed()
	size := slabFor(n, p.size)
	if list := p.free[size]; len(list) > 0 {
		id := list[len(list)-1]
		p.free[size] = list[:len(list)-1]
		p.allocErr = nil // what was short once is not short any more
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

// makeSpace unmaps free slabs until size bytes more fit what slabs may use, and one more slab the
// table.
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

// slabLimit is how many bytes slabs may use. Two of the longest fit whatever is set aside.
func (p *slabPool) slabLimit() int64 {
	left := p.limit - p.external
	if p.acksDouble {
		left /= 2
	}
	return max(left, p.twoLongest)
}

// setExternal records how many bytes of the limit are used elsewhere, and that acks of them are of
// acks that wait. Free slabs that there is no room for any more are unmapped at once.
func (p *slabPool) setExternal(bytes, acks int64) {
	p.external, p.waitingAcks = bytes, acks
	if p.used > p.slabLimit() {
		p.collectFreed()
		p.makeSpace(0)
	}
}

// fullOfAcks reports whether acks that wait leave no more than two of the longest slabs. Reading then
// stops although these can be had: what is read would be acks that wait, too.
//
// It goes on: an ack waits for one of an older message, or for the peer to read. The older message
// is with a worker, which needs nothing more from the loop to complete it. Where its handler
// waits for more messages, it is told that none come (loop.reportBlocked).
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

// release ends the loop's share in a slab of which dispatched messages were given
// to workers.
func (p *slabPool) release(id uint16, dispatched int) {
	u := &p.uses[id]
	u.released, u.dispatched, u.asks = true, dispatched, p.asks
	p.table.Release(id, loopRefs-dispatched)
}

// idle reports whether the workers are done with all messages dispatched from a
// slab that the loop still holds.
func (p *slabPool) idle(id uint16, dispatched int) bool {
	return p.table.Refs(id) == loopRefs-dispatched
}

// close unmaps slabs, after the workers have ended and their handlers were closed. Those of
// messages that were deferred and never completed stay until the process ends: somebody may
// still read them.
func (p *slabPool) close() {
	for id := range p.table.Len() {
		if slab := p.table.At(uint16(id)); slab.Data != nil && p.table.Refs(uint16(id)) == 0 {
			p.memory.Free(slab.Data)
			slab.Data = nil
		}
	}
}
