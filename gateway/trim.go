package gateway

import (
	"math/bits"

	"feedgate/gateway/internal/pool"
)

// A slab that the loop has released stays in use as long as one of its messages does. When memory runs
// short and most of it belongs to messages that are done, the pool trims slabs: it gives pages without
// a message in use back to the kernel. Messages are never moved, because handlers have slices of them.
//
// Only the workers know which messages are in use, so the pool asks them. When all have answered, it
// trims the slabs that were released before it asked. All messages of such a slab were published by
// then, so no worker can receive another one.

// slabUse is the pool's record of a slab.
type slabUse struct {
	counted    int  // bytes that count towards the limit; 0: the slab has no memory
	released   bool // by the loop, and not free yet
	trimmed    bool // some pages were given back
	dispatched int  // number of messages, when released
	asks       int  // slabPool.asks, when released
	inUse      int  // messages in use when it was last trimmed or found not worth it; 0: never
}

// holders is the interface to the workers.
type holders interface {
	Ask()
	Held() (lists [][]pool.Held, all bool)
}

// reclaim frees memory if the limit did not allow a slab that was wanted. It returns true if it did.
// The loop calls it at the end of a turn, when everything dispatched is published. It asks only after
// an idle turn: before, workers may be about to free slabs anyway.
func (p *slabPool) reclaim(h holders, idle bool) bool {
	if p.asking {
		lists, all := h.Held()
		p.asking = !all
		return all && p.trim(lists) > 0
	}
	if idle && p.wanted > 0 {
		p.asking = p.worthAsking()
		p.wanted = 0
		if p.asking {
			p.asks++
			h.Ask()
		}
	}
	return false
}

// worthAsking estimates whether trimming would free what is wanted, and at least a quarter of the limit.
// Workers that are merely slow have fewer finished messages in slabs that are not free.
func (p *slabPool) worthAsking() bool {
	want := max(p.wanted, p.limit/4)
	for id := range p.uses {
		if want -= p.reclaimable(uint16(id)); want <= 0 {
			return true
		}
	}
	return false
}

// reclaimable estimates the bytes that trimming a slab would free: none if it was trimmed before and not
// half of the messages left then are done.
func (p *slabPool) reclaimable(id uint16) int64 {
	u := &p.uses[id]
	if !u.released || u.counted <= p.memory.Page() {
		return 0
	}
	refs, of := p.table.Refs(id), u.dispatched
	if u.inUse > 0 {
		if of = u.inUse; 2*refs > of {
			return 0
		}
	}
	if refs == 0 {
		return 0 // a worker is about to return it
	}
	return int64(u.counted) - int64(u.counted)*int64(refs)/int64(of)
}

// trim gives back the pages without a message in use, and returns how many bytes these are. The lists
// are the workers' answers.
func (p *slabPool) trim(lists [][]pool.Held) (reclaimed int64) {
	if p.size/2%p.memory.Page() != 0 { // all sizes are multiples of half the regular one
		return 0
	}
	pages := p.pagesInUse(lists)
	for id, u := range p.uses {
		refs := p.table.Refs(uint16(id))
		if pages[id] == nil || refs == 0 {
			continue
		}
		counted := pages[id].count() * p.memory.Page()
		p.uses[id].inUse = refs
		if less := u.counted - counted; less >= max(u.counted/8, 1) {
			pages[id].discard(p.memory.Page(), p.table.At(uint16(id)).Data, p.memory.Discard)
			p.uses[id].counted, p.uses[id].trimmed = counted, true
			p.used -= int64(less)
			reclaimed += int64(less)
		}
	}
	return reclaimed
}

// pagesInUse returns, for each slab released before the pool last asked, which of its pages hold a
// message in use; nil for other slabs.
func (p *slabPool) pagesInUse(lists [][]pool.Held) []pageSet {
	page := p.memory.Page()
	sets := make([]pageSet, len(p.uses))
	for id, u := range p.uses {
		if u.released && u.asks < p.asks {
			sets[id] = make(pageSet, (len(p.table.At(uint16(id)).Data)/page+63)/64)
		}
	}
	for _, list := range lists {
		for _, m := range list {
			if sets[m.Slab] != nil && m.Len > 0 {
				sets[m.Slab].add(int(m.Off)/page, (int(m.Off)+int(m.Len)-1)/page)
			}
		}
	}
	return sets
}

// pageSet is a bit for each page of a slab.
type pageSet []uint64

func (s pageSet) add(first, last int) {
	for i := first; i <= last; i++ {
		s[i/64] |= 1 << (i % 64)
	}
}

func (s pageSet) has(i int) bool { return s[i/64]>>(i%64)&1 != 0 }

func (s pageSet) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// discard calls give with each maximal part of data that has no page in the set.
func (s pageSet) discard(page int, data []byte, give func(part []byte)) {
	for from, n := 0, len(data)/page; from < n; {
		if s.has(from) {
			from++
			continue
		}
		end := from + 1
		for end < n && !s.has(end) {
			end++
		}
		give(data[from*page : end*page])
		from = end
	}
}

// closeExcept closes the pool and leaves only the pages of the listed messages mapped: they will never
// be resolved, and may still be read.
func (p *slabPool) closeExcept(lists [][]pool.Held) {
	p.asks++
	p.trim(lists)
	p.close()
}
