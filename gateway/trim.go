package gateway

import (
	"math/bits"

	"feedgate/gateway/internal/pool"
)

// A slab that the loop has let go of is in use as long as one message in it is. When memory is
// short and most of that is of messages that are done, the slabs are thinned: pages without a
// message in use are given back. Messages stay where they are, for handlers have slices of them.
//
// Which messages are in use only the workers know. The pool asks them; when all have answered, it
// thins what it let go of before it asked: the messages of such a slab were all published by then,
// so no worker can get another one.

// slabUse is what the pool knows of a slab beside its bytes.
type slabUse struct {
	counted    int  // bytes that count towards the limit; 0: it has no memory
	released   bool // the loop has let go of it, and it has not come back
	trimmed    bool // some of its pages were given back
	dispatched int  // messages in it, when it was let go
	asks       int  // the pool's, when it was let go
	inUse      int  // messages in use when the workers were last asked; 0: they were not
}

// holders are the workers, as far as they are asked.
type holders interface {
	Ask()
	Held() (lists [][]pool.Held, all bool)
}

// reclaim makes room if a slab was wanted and not to be had; true when it has. The loop calls it
// at the end of a turn: what was dispatched is published. idle: the turn had nothing else to do,
// so workers that are about to give slabs back need not be asked.
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

// worthAsking estimates whether thinning would win what was wanted, and a quarter of the limit:
// workers that are merely behind have fewer messages done in slabs that have not come back.
func (p *slabPool) worthAsking() bool {
	want := max(p.wanted, p.limit/4)
	for id := range p.uses {
		if want -= p.reclaimable(uint16(id)); want <= 0 {
			return true
		}
	}
	return false
}

// reclaimable estimates the bytes of a slab that thinning would win. Of one that was asked for there are none
// until half of what was in use then is done.
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
		return 0 // it is coming back
	}
	return int64(u.counted) - int64(u.counted)*int64(refs)/int64(of)
}

// trim gives back the pages of slabs that hold no message of the lists, which are what the workers
// had after the pool asked last, and returns how many bytes that were.
func (p *slabPool) trim(lists [][]pool.Held) (reclaimed int64) {
	if p.size/2%p.memory.Page() != 0 { // all sizes are multiples of half the usual
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

// pagesInUse is, for each slab that was let go before the pool asked last, which of its pages hold
// a message of the lists.
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

// discard calls give with each longest part of data that has none of the set's pages.
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

// closeExcept closes the pool, but leaves the pages in use in which messages of the lists lie: no worker
// will complete them any more, and somebody may still read them.
func (p *slabPool) closeExcept(lists [][]pool.Held) {
	p.asks++
	p.trim(lists)
	p.close()
}
