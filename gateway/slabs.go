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
	slabMin  = 512
	// slabSlots is how many slabs the table has room for, for each that fits the limit whole:
	// there may be more that are thinned.
	slabSlots = 16
	// slabShare is the loop's references to the slab that it fills: more than a
	// slab has messages, so that workers cannot free it before the loop lets go.
	slabShare = 1 << 30
)

// slabPool hands out read buffers, --memory bytes in all. Longer ones than usual are multiples
// of half the usual size: a message of --max-message with its head takes little more. Workers give slabs back through an MPMC ring of which the
// loop is the only taker; the slab freed last is handed out first, while its
// lines are still in the cache.
type slabPool struct {
	table  *pool.Slabs
	memory offheap.Memory
	size   int   // of the usual slab, bytes; even
	frame  int   // the longest, bytes
	limit  int64 // bytes
	least  int64 // of two of the longest slabs, bytes
	used   int64 // bytes allocated and not given back, whether handed out or free
	aside  int64 // bytes of the limit that are used elsewhere: for Input.Side and for acks
	acks   int64 // bytes of acks that wait
	twice  bool  // a byte in a slab may become one of an ack that waits, before its slab is free

	failed error // the kernel gave no memory the last time; nil: it did

	uses   []slabUse // by id
	asks   int       // how often the workers were asked which messages are in use
	asking bool      // they have not all answered
	wanted int64     // bytes of the slab that there was no room for; 0: none was wanted

	free  map[int][]uint16 // by size
	empty []uint16         // table slots without memory

	origin *worker.Origin // of the messages in slabs that are handed out from now on

	back *queue.RingBuffer // ids, from whoever released the last reference
	ids  []any             // boxed ids: a put allocates nothing
}

// newSlabPool makes a pool for frames of up to frame bytes. Two of the longest must
// fit at any time, the one that is moved and where it is moved to; a --memory that
// is smaller than their slabs, which only very short messages allow, is stretched.
func newSlabPool(memory, frame int64) *slabPool {
	memory = max(memory, 4*frame)
	size := slabSize
	for size > slabMin && int64(size)*16 > memory {
		size /= 2
	}
	for memory/int64(size) >= pool.MaxSlabs {
		size *= 2
	}
	longest := int64(slabFor(int(frame), size))
	memory = max(memory, 2*longest)
	slots := min(slabSlots*int(memory/int64(size)), pool.MaxSlabs)
	p := &slabPool{
		size: size, frame: int(frame), limit: memory, least: 2 * longest, free: make(map[int][]uint16),
		memory: offheap.Default, uses: make([]slabUse, slots),
		back: queue.NewRingBuffer(uint64(2 * slots)),
		ids:  make([]any, slots),
	}
	for i := range slots {
		p.ids[i] = uint16(i)
		p.empty = append(p.empty, uint16(slots-1-i))
	}
	p.table = pool.NewSlabs(slots, p.giveBack)
	return p
}

// slabFor is the size of a slab for n bytes, with usual ones of size.
func slabFor(n, size int) int {
	half := size / 2
	return (max(n, size) + half - 1) / half * half
}

// giveBack is called by whoever released the last reference. The ring has room
// for all slabs; Offer can still refuse while another goroutine is half-way
// through its own.
func (p *slabPool) giveBack(id uint16) {
	for {
		ok, err := p.back.Offer(p.ids[id])
		if err != nil {
			panic(fmt.Sprintf("gateway: slab ring: %v", err))
		}
		if ok {
			return
		}
		runtime.Gosched()
	}
}

// collect takes back what workers have released.
func (p *slabPool) collect() {
	for p.back.Len() > 0 {
		v, err := p.back.Get()
		if err != nil {
			panic(fmt.Sprintf("gateway: slab ring: %v", err))
		}
		id := v.(uint16)
		if p.uses[id].thinned {
			p.unmap(id)
			continue
		}
		data := p.table.At(id).Data
		p.memory.Recycle(data)
		p.uses[id] = slabUse{counted: len(data)}
		p.free[len(data)] = append(p.free[len(data)], id)
	}
}

// take hands out a slab of at least n bytes for messages of the present origin, with the
// loop's share of references; false when memory does not allow it now.
func (p *slabPool) take(n int) (uint16, bool) {
	id, ok := p.find(n)
	if ok {
		p.table.At(id).Origin = p.origin
		p.table.Hold(id, slabShare)
	}
	return id, ok
}

// find takes a slab of at least n bytes that is free, or can be had.
func (p *slabPool) find(n int) (uint16, bool) {
	p.collect()
	size := slabFor(n, p.size)
	if list := p.free[size]; len(list) > 0 {
		id := list[len(list)-1]
		p.free[size] = list[:len(list)-1]
		p.failed = nil // what was short once is not short any more
		return id, true
	}
	if !p.makeRoom(int64(size)) {
		p.wanted = int64(size)
		return 0, false
	}
	if len(p.empty) == 0 {
		return 0, false
	}
	data, err := p.memory.Alloc(size)
	if p.failed = err; err != nil {
		return 0, false
	}
	id := p.empty[len(p.empty)-1]
	p.empty = p.empty[:len(p.empty)-1]
	p.table.At(id).Data = data
	p.uses[id].counted = size
	p.used += int64(size)
	return id, true
}

// makeRoom unmaps free slabs until size bytes more fit what slabs may use, and one more slab the
// table.
func (p *slabPool) makeRoom(size int64) bool {
	most := p.most()
	for length, list := range p.free {
		for (p.used+size > most || len(p.empty) == 0) && len(list) > 0 {
			p.unmap(list[len(list)-1])
			list = list[:len(list)-1]
		}
		p.free[length] = list
	}
	return p.used+size <= most
}

// most is how many bytes slabs may use. Two of the longest fit whatever is set aside.
func (p *slabPool) most() int64 {
	left := p.limit - p.aside
	if p.twice {
		left /= 2
	}
	return max(left, p.least)
}

// setAside records how many bytes of the limit are used elsewhere, and that acks of them are of
// acks that wait. Free slabs that there is no room for any more are unmapped at once.
func (p *slabPool) setAside(bytes, acks int64) {
	p.aside, p.acks = bytes, acks
	if p.used > p.most() {
		p.collect()
		p.makeRoom(0)
	}
}

// full reports whether acks that wait leave no more than two of the longest slabs. Reading then
// stops although these can be had: what is read would be acks that wait, too.
//
// It goes on: an ack waits for one of an older message, or for the peer to read. The older message
// is with a worker, which needs nothing more from the loop to complete it. Where its handler
// waits for more messages, it is told that none come (loop.reportBlocked).
func (p *slabPool) full() bool { return p.acks > 0 && p.acks >= p.limit-p.least }

func (p *slabPool) unmap(id uint16) {
	slab := p.table.At(id)
	p.used -= int64(p.uses[id].counted)
	p.uses[id] = slabUse{}
	p.memory.Free(slab.Data)
	slab.Data = nil
	p.empty = append(p.empty, id)
}

// letGo ends the loop's share in a slab of which dispatched messages were given
// to workers.
func (p *slabPool) letGo(id uint16, dispatched int) {
	u := &p.uses[id]
	u.letGo, u.dispatched, u.asks = true, dispatched, p.asks
	p.table.Release(id, slabShare-dispatched)
}

// idle reports whether the workers are done with all messages dispatched from a
// slab that the loop still holds.
func (p *slabPool) idle(id uint16, dispatched int) bool {
	return p.table.Refs(id) == slabShare-dispatched
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
