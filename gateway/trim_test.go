package gateway

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"feedgate/gateway/internal/pool"
	"feedgate/worker/offheap"
)

// slabTest has a slab pool and plays the workers.
type slabTest struct {
	t    testing.TB
	p    *slabPool
	held []pool.Held // in use
	asks int
}

func newSlabTest(t testing.TB, memory int64) *slabTest {
	r := &slabTest{t: t, p: newSlabPool(memory, 1024)}
	r.p.memory = offheap.Heap{PageSize: 4096}
	return r
}

func (r *slabTest) Ask() { r.asks++ }

func (r *slabTest) Held() ([][]pool.Held, bool) { return [][]pool.Held{r.held}, true }

// fill fills a slab with messages of size bytes and finishes those for which keep returns false.
// It returns false if there is no slab.
func (r *slabTest) fill(size int, keep func(i int) bool) bool {
	id, ok := r.p.get(1)
	if !ok {
		return false
	}
	data := r.p.table.At(id).Data
	n, done := len(data)/size, 0
	for i := range n {
		if keep(i) {
			m := pool.Held{Slab: id, Off: uint32(i * size), Len: uint32(size)}
			copy(data[m.Off:], r.content(m))
			r.held = append(r.held, m)
		} else {
			done++
		}
	}
	r.p.release(id, n)
	r.p.table.Release(id, done)
	return true
}

func (r *slabTest) content(m pool.Held) []byte {
	return bytes.Repeat([]byte{byte(m.Off/64) ^ byte(m.Slab)}, int(m.Len))
}

// reclaim makes the pool ask, if it wants to, and trim. It returns the bytes freed.
func (r *slabTest) relieve() int64 {
	before := r.p.used
	if !r.p.reclaim(r, true) && r.p.asking {
		r.p.reclaim(r, true)
	}
	return before - r.p.used
}

// finish finishes the messages for which keep returns false.
func (r *slabTest) finish(keep func(i int) bool) {
	kept := r.held[:0]
	for i, m := range r.held {
		if keep(i) {
			kept = append(kept, m)
		} else {
			r.p.table.Release(m.Slab, 1)
		}
	}
	r.held = kept
}

// check checks the data of the messages in use and the pool's count of bytes.
func (r *slabTest) check() {
	r.t.Helper()
	used := int64(0)
	for id, u := range r.p.uses {
		if int64(u.counted) > int64(len(r.p.table.At(uint16(id)).Data)) {
			r.t.Fatalf("slab %d counts as %d bytes", id, u.counted)
		}
		used += int64(u.counted)
	}
	if used != r.p.used || used > r.p.limit {
		r.t.Fatalf("%d bytes counted, %d in use, limit %d", r.p.used, used, r.p.limit)
	}
	for _, m := range r.held {
		if got := r.p.table.At(m.Slab).Data[m.Off : m.Off+m.Len]; !bytes.Equal(got, r.content(m)) {
			r.t.Fatalf("message at %d of slab %d is %x", m.Off, m.Slab, got)
		}
	}
}

func none(int) bool { return false }

// TestOneMessagePinsOnePage: if each slab has one message in use, many times the number of slabs
// that fit the limit can be had. When the messages are done, all memory is free.
func TestOneMessagePinsOnePage(t *testing.T) {
	r := newSlabTest(t, 8<<20)
	fit := int(r.p.limit) / r.p.size
	for slabs := range 10 * fit {
		if !r.fill(64, func(i int) bool { return i == slabs%100 }) {
			if r.relieve() == 0 || !r.fill(64, func(i int) bool { return i == slabs%100 }) {
				t.Fatalf("no slab after %d, %d bytes in use", slabs, r.p.used)
			}
		}
		r.check()
	}
	if r.asks < 2 || r.asks > 20 {
		t.Errorf("asked %d times", r.asks)
	}
	r.finish(none)
	for range fit {
		if !r.fill(64, none) {
			t.Fatal("no slab though all is done")
		}
	}
	r.p.collectFreed()
	r.check()
	r.p.close()
}

// TestWorkersBehindAreNotAsked: slow workers, with most slabs fully in use and a few partly done,
// are not asked.
func TestWorkersBehindAreNotAsked(t *testing.T) {
	r := newSlabTest(t, 8<<20)
	for n := 0; r.fill(1024, func(i int) bool { return n > 3 || i > 256 }); n++ {
	}
	if freed := r.relieve(); r.asks > 0 || freed > 0 {
		t.Errorf("asked %d times, %d bytes reclaimed", r.asks, freed)
	}
}

// TestAskedOnceIfNothingCanBeTrimmed: if every page has a message in use, the workers are asked
// once, and again when half of these messages are done.
func TestAskedOnceIfNothingCanBeTrimmed(t *testing.T) {
	r := newSlabTest(t, 8<<20)
	every := func(i int) bool { return i%50 == 0 }
	for r.fill(64, every) {
	}
	for range 3 {
		if freed := r.relieve(); r.asks != 1 || freed > 0 {
			t.Fatalf("asked %d times, %d bytes reclaimed", r.asks, freed)
		}
		r.fill(64, every)
	}
	r.finish(func(i int) bool { return i%5 < 3 })
	r.fill(64, every)
	if freed := r.relieve(); r.asks != 1 || freed > 0 {
		t.Fatalf("asked %d times with three in five still in use, %d bytes reclaimed", r.asks, freed)
	}
	r.finish(func(i int) bool { return i%3 == 0 })
	if r.fill(64, every) {
		t.Fatal("there is a slab, though none is empty")
	}
	if freed := r.relieve(); r.asks != 2 || freed == 0 {
		t.Errorf("asked %d times, %d bytes reclaimed", r.asks, freed)
	}
	r.check()
}

// TestTrimmedSlabsFillTheTable: if the table is full, no slab can be had until one of any size is
// freed.
func TestTrimmedSlabsFillTheTable(t *testing.T) {
	r := newSlabTest(t, 1<<20)
	r.p.memory = offheap.Heap{PageSize: 64}
	one := func(i int) bool { return i == 0 }
	slabs := 0
	for r.fill(64, one) || r.relieve() > 0 {
		slabs++
	}
	if len(r.p.emptySlots) > 0 && r.p.used < r.p.limit/2 {
		t.Fatalf("%d slots are empty, %d bytes in use", len(r.p.emptySlots), r.p.used)
	}
	r.finish(func(i int) bool { return i > 0 })
	if !r.fill(64, one) {
		t.Errorf("no slab though one was freed")
	}
	r.check()

	r = newSlabTest(t, 1<<20)
	id, ok := r.p.get(2 * r.p.size)
	if !ok {
		t.Fatal("no slab of two")
	}
	r.p.release(id, 0)
	r.p.emptySlots = nil
	if _, ok := r.p.get(1); !ok {
		t.Error("no slab though one of another size is free")
	}
	r.check()
}

// TestEndKeepsPagesOnly: at the end, only the pages with messages that were never completed stay
// mapped.
func TestEndKeepsPagesOnly(t *testing.T) {
	r := newSlabTest(t, 8<<20)
	memory := newSimMemory()
	r.p.memory = memory
	for n := range 6 {
		if !r.fill(64, func(i int) bool { return n < 3 && i == 7 }) {
			t.Fatal("no slab")
		}
	}
	r.p.closeExcept([][]pool.Held{r.held[:1], r.held[1:]})
	if want := int64(len(r.held) * memory.Page()); len(r.held) != 3 || memory.used != want {
		t.Errorf("%d bytes are kept for %d messages, want %d", memory.used, len(r.held), want)
	}
	for _, m := range r.held {
		if got := r.p.table.At(m.Slab).Data[m.Off : m.Off+m.Len]; !bytes.Equal(got, r.content(m)) {
			t.Errorf("message at %d of slab %d is %x", m.Off, m.Slab, got)
		}
	}
}

// BenchmarkTrim measures the time to trim 64 MiB of slabs of 64-byte messages, and the percentage
// reclaimed, by the share of messages in use.
func BenchmarkTrim(b *testing.B) {
	for _, share := range []struct {
		name string
		of   int
	}{{"1in7700", 7700}, {"1in500", 500}, {"1in50", 50}} {
		b.Run(share.name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				rnd := rand.New(rand.NewPCG(1, 1))
				r := newSlabTest(b, 64<<20)
				r.p.memory = offheap.Kernel{}
				for r.fill(64, func(int) bool { return rnd.IntN(share.of) == 0 }) {
				}
				used := r.p.used
				b.StartTimer()
				freed := r.relieve()
				b.StopTimer()
				b.ReportMetric(100*float64(freed)/float64(used), "%reclaimed")
				r.finish(none)
				r.p.collectFreed()
				r.p.close()
			}
		})
	}
}
