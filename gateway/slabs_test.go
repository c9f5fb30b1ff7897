package gateway

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// TestSlabPoolAgainstModel: in any order of gets and releases, no slab is in use twice, sizes are
// as requested, and memory stays within its limit.
func TestSlabPoolAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		memory := rapid.Int64Range(4, 1<<rapid.IntRange(3, 22).Draw(t, "bits")).Draw(t, "memory")
		frame := rapid.Int64Range(1, max(1, memory/4)).Draw(t, "frame")
		p := newSlabPool(memory, frame)
		p.acksDouble = rapid.Bool().Draw(t, "twice")
		defer p.close()
		held := map[uint16]int{} // messages dispatched
		release := func(id uint16) {
			p.release(id, held[id])
			if n := held[id]; n > 0 {
				p.table.Release(id, n)
			}
			delete(held, id)
		}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			if len(held) > 0 && rapid.Bool().Draw(t, "release") {
				for id := range held {
					release(id)
					break
				}
				continue
			}
			p.setExternal(rapid.SampledFrom([]int64{0, 0, memory / 2, 2 * memory}).Draw(t, "aside"), 0)
			for _, list := range p.free {
				if p.used > p.slabLimit() && len(list) > 0 {
					t.Fatalf("free slabs stay with %d bytes mapped and %d set aside, limit %d", p.used, p.external, p.limit)
				}
			}
			n := int(rapid.Int64Range(0, frame).Draw(t, "n"))
			before := p.used
			id, ok := p.get(n)
			if p.used > before && p.used > p.slabLimit() {
				t.Fatalf("%d bytes mapped with %d set aside, limit %d", p.used, p.external, p.limit)
			}
			if !ok {
				if len(held) < 2 {
					t.Fatalf("no slab of %d bytes beside %d held, of %d bytes in all", n, len(held), memory)
				}
				continue
			}
			if _, twice := held[id]; twice {
				t.Fatalf("slab %d handed out twice", id)
			}
			if got := len(p.table.At(id).Data); got < max(n, p.size) || got >= max(n, p.size)+p.size/2 {
				t.Fatalf("slab of %d bytes for %d, usual ones have %d", got, n, p.size)
			}
			held[id] = rapid.IntRange(0, 5).Draw(t, "messages")
			used := int64(0)
			for i := range p.table.Len() {
				used += int64(len(p.table.At(uint16(i)).Data))
			}
			if used != p.used || used > p.limit {
				t.Fatalf("%d bytes mapped, %d counted, limit %d", used, p.used, p.limit)
			}
		}
		for len(held) > 0 {
			for id := range held {
				release(id)
				break
			}
		}
		p.collectFreed()
	})
}

// TestExternalMemoryUnmapsFreeSlabs: free slabs are unmapped when external memory needs the space.
func TestExternalMemoryUnmapsFreeSlabs(t *testing.T) {
	p := newSlabPool(8<<20, 1024)
	defer p.close()
	var ids []uint16
	for range 8 {
		id, ok := p.get(1)
		if !ok {
			t.Fatal("no slab")
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		p.release(id, 0)
	}
	p.setExternal(p.limit-4*int64(p.size), 0)
	if p.used != 4*int64(p.size) {
		t.Errorf("%d bytes mapped, space for %d is left", p.used, 4*p.size)
	}
}

// TestSlabShortageIsOver: after a failed allocation, a slab from the free list ends the shortage.
// Otherwise the loop would wake ten times a second from then on.
func TestSlabShortageIsOver(t *testing.T) {
	p := newSlabPool(1<<20, 1024)
	id, ok := p.get(1)
	if !ok {
		t.Fatal("no slab")
	}
	p.allocErr = errors.New("cannot allocate memory")
	p.release(id, 0)
	if again, ok := p.get(1); !ok || again != id || p.allocErr != nil {
		t.Errorf("slab %d, %v; still short: %v", again, ok, p.allocErr)
	}
	p.release(id, 0)
	p.close()
}
