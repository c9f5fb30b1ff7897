package ring_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"feedgate/ring"
)

// mustPanic runs f, which must panic.
func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}

func TestNewSPSCCapacity(t *testing.T) {
	for _, c := range []int{-1, 0, 3, 6, 1000} {
		mustPanic(t, fmt.Sprint("capacity ", c), func() { ring.NewSPSC[int](c) })
	}
	for _, c := range []int{1, 2, 64, 1 << 16} {
		if got := ring.NewSPSC[int](c).Cap(); got != c {
			t.Errorf("Cap() = %d, want %d", got, c)
		}
	}
}

func TestSPSCNothingPassesBeforePublish(t *testing.T) {
	r := ring.NewSPSC[int](8)
	s := r.Reserve(3)
	s[0], s[1], s[2] = 1, 2, 3
	r.Commit(2)
	if r.Len() != 0 || !r.Empty() || len(r.Peek()) != 0 {
		t.Fatal("committed entries are visible before Publish")
	}
	r.Publish()
	if got := r.Peek(); !slices.Equal(got, []int{1, 2}) || r.Len() != 2 || r.Empty() {
		t.Fatalf("Peek() = %v, Len() = %d after Publish", got, r.Len())
	}
}

func TestSPSCNothingIsFreeBeforeRelease(t *testing.T) {
	r := ring.NewSPSC[int](4)
	for i := range 4 {
		if !r.Push(i) {
			t.Fatalf("Push %d of 4 refused", i)
		}
	}
	r.Take(len(r.Peek()))
	if len(r.Reserve(1)) != 0 || r.Push(9) || r.Len() != 4 || !r.Empty() {
		t.Fatal("taken slots are free before Release")
	}
	r.Release()
	if got := len(r.Reserve(9)); got != 4 || r.Len() != 0 {
		t.Fatalf("Reserve(9) has %d slots, Len() = %d after Release", got, r.Len())
	}
}

func TestSPSCSlicesEndAtTheirOwnSlots(t *testing.T) {
	r := ring.NewSPSC[int](8)
	for i := range 6 {
		r.Push(i)
	}
	for range 3 {
		r.Pop()
	}
	if s := r.Reserve(8); len(s) != 2 || cap(s) != 2 {
		t.Errorf("Reserve up to the end: len %d cap %d, want 2", len(s), cap(s))
	}
	if s := r.Reserve(1); cap(s) != 1 {
		t.Errorf("Reserve(1): cap %d", cap(s))
	}
	if s := r.Peek(); len(s) != 3 || cap(s) != 3 {
		t.Errorf("Peek: len %d cap %d, want 3", len(s), cap(s))
	}
}

func TestSPSCPanicsWhenMisused(t *testing.T) {
	r := ring.NewSPSC[int](4)
	r.Reserve(4)
	mustPanic(t, "Commit(5) of 4", func() { r.Commit(5) })
	mustPanic(t, "Commit(-1)", func() { r.Commit(-1) })
	r.Commit(1)
	r.Publish()
	mustPanic(t, "Take before Peek", func() { r.Take(1) })
	r.Peek()
	mustPanic(t, "Take(2) of 1", func() { r.Take(2) })
	mustPanic(t, "Take(-1)", func() { r.Take(-1) })
}

// startIndex draws the initial indices of a ring, often such that they pass 2^64 during the test.
func startIndex(t *rapid.T, align uint64) uint64 {
	below := rapid.Uint64Range(0, 200).Draw(t, "below the wrap") * align
	return rapid.SampledFrom([]uint64{0, -below, 1<<63 - below}).Draw(t, "start index")
}

// spscModel compares a ring with three slices. It masks no index.
type spscModel struct {
	r         *ring.SPSC[int]
	at        uint64 // position of the producer
	committed []int  // not yet published
	published []int  // not yet taken
	taken     int    // not yet released
	last      int
}

func (m *spscModel) free() int {
	return m.r.Cap() - len(m.committed) - len(m.published) - m.taken
}

// side is how many of n slots from position at on lie side by side.
func (m *spscModel) side(n int, at uint64) int {
	return min(n, m.r.Cap()-int(at%uint64(m.r.Cap())))
}

func (m *spscModel) Fill(t *rapid.T) {
	ask := rapid.IntRange(0, m.r.Cap()+2).Draw(t, "ask")
	s := m.r.Reserve(ask)
	if want := m.side(min(ask, m.free()), m.at); len(s) != want || cap(s) != want {
		t.Fatalf("Reserve(%d): len %d cap %d, want %d", ask, len(s), cap(s), want)
	}
	n := rapid.IntRange(0, len(s)).Draw(t, "commit")
	for i := range s[:n] {
		m.last++
		s[i] = m.last
		m.committed = append(m.committed, m.last)
	}
	m.at += uint64(n)
	m.r.Commit(n)
}

func (m *spscModel) Free(t *rapid.T) {
	most := rapid.IntRange(0, m.r.Cap()+2).Draw(t, "most")
	if got, want := m.r.Free(most), min(most, m.free()); got != want {
		t.Fatalf("Free(%d) = %d, want %d", most, got, want)
	}
}

func (m *spscModel) Publish(*rapid.T) {
	m.r.Publish()
	m.published = append(m.published, m.committed...)
	m.committed = nil
}

func (m *spscModel) Push(t *rapid.T) {
	m.last++
	ok := m.r.Push(m.last)
	if want := m.free() > 0; ok != want {
		t.Fatalf("Push: %v, want %v", ok, want)
	}
	if ok {
		m.at++
		m.published = append(append(m.published, m.committed...), m.last)
		m.committed = nil
	}
}

func (m *spscModel) Peek(t *rapid.T) {
	fresh := rapid.Bool().Draw(t, "look past the cached index")
	if fresh && m.r.Empty() != (len(m.published) == 0) {
		t.Fatalf("Empty() = %v with %d published", m.r.Empty(), len(m.published))
	}
	s := m.r.Peek()
	// The consumer's position follows from the producer's.
	front := m.at - uint64(len(m.committed)+len(m.published))
	most := m.side(len(m.published), front)
	if len(s) > most || (len(s) == 0) != (most == 0) || (fresh && len(s) != most) {
		t.Fatalf("Peek: %d entries, want %d (exactly: %v)", len(s), most, fresh)
	}
	if !slices.Equal(s, m.published[:len(s)]) {
		t.Fatalf("Peek: %v, want %v", s, m.published[:len(s)])
	}
	n := rapid.IntRange(0, len(s)).Draw(t, "take")
	m.r.Take(n)
	m.published = m.published[n:]
	m.taken += n
}

func (m *spscModel) All(t *rapid.T) {
	first, second := m.r.All()
	front := m.at - uint64(len(m.committed)+len(m.published))
	if want := m.side(len(m.published), front); len(first) != want || !slices.Equal(slices.Concat(first, second), m.published) {
		t.Fatalf("All: %v and %v, want %d of %v first", first, second, want, m.published)
	}
}

func (m *spscModel) Release(*rapid.T) {
	m.r.Release()
	m.taken = 0
}

func (m *spscModel) Pop(t *rapid.T) {
	v, ok := m.r.Pop()
	if ok != (len(m.published) > 0) || (ok && v != m.published[0]) {
		t.Fatalf("Pop: %d %v, want the first of %v", v, ok, m.published)
	}
	if ok {
		m.published = m.published[1:]
		m.taken = 0
	}
}

func (m *spscModel) check(t *rapid.T) {
	if got, want := m.r.Len(), len(m.published)+m.taken; got != want {
		t.Fatalf("Len() = %d, want %d", got, want)
	}
}

func TestSPSCModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &spscModel{r: ring.NewSPSC[int](1 << rapid.IntRange(0, 6).Draw(t, "log2 of the capacity"))}
		m.at = startIndex(t, 1)
		m.r.SetIndex(m.at)
		t.Repeat(map[string]func(*rapid.T){
			"fill": m.Fill, "publish": m.Publish, "push": m.Push,
			"peek": m.Peek, "all": m.All, "release": m.Release, "pop": m.Pop,
			"": m.check,
		})
	})
}

func TestSPSCAllocs(t *testing.T) {
	r := ring.NewSPSC[[3]uint64](64)
	allocs := testing.AllocsPerRun(1000, func() {
		r.Push([3]uint64{1})
		s := r.Reserve(32)
		for i := range s {
			s[i][0] = uint64(i)
		}
		r.Commit(len(s))
		r.Publish()
		r.Pop()
		for !r.Empty() {
			r.Take(len(r.Peek()))
			r.Release()
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a run", allocs)
	}
}
