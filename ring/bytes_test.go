package ring_test

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"feedgate/ring"
)

func TestNewBytesCapacity(t *testing.T) {
	for _, c := range []int{-64, 0, 8, 32, 65, 100} {
		mustPanic(t, fmt.Sprint("capacity ", c), func() { ring.NewBytes(c) })
	}
	r := ring.NewBytes(64)
	if r.Cap() != 64 || r.MaxRecord() != 24 || r.Len() != 0 {
		t.Errorf("Cap %d, MaxRecord %d, Len %d", r.Cap(), r.MaxRecord(), r.Len())
	}
}

// put reserves, fills and commits one record.
func put(r *ring.Bytes, p []byte) bool {
	b := r.Reserve(len(p))
	if b == nil {
		return false
	}
	copy(b, p)
	r.Commit(len(p))
	return true
}

func TestBytesNothingPassesBeforePublish(t *testing.T) {
	r := ring.NewBytes(64)
	put(r, []byte("one"))
	if r.Len() != 0 || r.Next() != nil {
		t.Fatal("a committed record is visible before Publish")
	}
	r.Publish()
	if got := r.Next(); string(got) != "one" || r.Len() != 16 {
		t.Fatalf("Next() = %q, Len() = %d after Publish", got, r.Len())
	}
	if r.Next() != nil {
		t.Fatal("a second record came out")
	}
}

func TestBytesNothingIsFreeBeforeRelease(t *testing.T) {
	r := ring.NewBytes(64)
	p := bytes.Repeat([]byte{7}, r.MaxRecord())
	for range 2 {
		if !put(r, p) {
			t.Fatal("two records of MaxRecord do not fit a fresh ring")
		}
	}
	r.Publish()
	r.Next()
	if r.Reserve(0) != nil {
		t.Fatal("a taken record's space is free before Release")
	}
	r.Release()
	if r.Reserve(r.MaxRecord()) == nil {
		t.Fatal("a released record's space is not free")
	}
}

func TestBytesEmptyRecordIsARecord(t *testing.T) {
	r := ring.NewBytes(64)
	for range 20 {
		if !put(r, nil) {
			t.Fatal("no space for an empty record")
		}
		r.Publish()
		if p := r.Next(); p == nil || len(p) != 0 {
			t.Fatalf("Next() = %v, want an empty record", p)
		}
		r.Release()
	}
}

func TestBytesLastReserveCounts(t *testing.T) {
	r := ring.NewBytes(64)
	for round := range 50 {
		// The larger one may step over the end of the ring; the smaller one, which
		// would have fitted before it, then starts over as well.
		r.Reserve(24)
		copy(r.Reserve(8), "counts")
		r.Commit(6)
		r.Publish()
		if p := r.Next(); string(p) != "counts" {
			t.Fatalf("round %d: Next() = %q", round, p)
		}
		r.Release()
	}
}

// An uncommitted Reserve may leave padding; MaxRecord must be correct nevertheless.
func TestBytesMaxRecordFitsWhereverTheRingStands(t *testing.T) {
	for step := range 25 {
		r := ring.NewBytes(64)
		for range 100 {
			if !put(r, make([]byte, step)) {
				t.Fatal("no space in an empty ring")
			}
			r.Reserve(0)
			r.Publish()
			for r.Next() != nil {
			}
			r.Release()
			if r.Reserve(r.MaxRecord()) == nil {
				t.Fatalf("MaxRecord does not fit an empty ring, records of %d", step)
			}
		}
	}
}

func TestBytesPanicsWhenMisused(t *testing.T) {
	r := ring.NewBytes(64)
	mustPanic(t, "Reserve over MaxRecord", func() { r.Reserve(r.MaxRecord() + 1) })
	mustPanic(t, "Reserve(-1)", func() { r.Reserve(-1) })
	mustPanic(t, "Commit without Reserve", func() { r.Commit(0) })
	r.Reserve(8)
	mustPanic(t, "Commit(9) of 8", func() { r.Commit(9) })
	mustPanic(t, "Commit(-1)", func() { r.Commit(-1) })
	r.Commit(8)
	mustPanic(t, "second Commit", func() { r.Commit(8) })
}

// bytesModel compares a ring with slices of records, and counts the space from
// the record layout: header, payload, up to the next multiple of 8, and what
// lies between a record that does not fit and the end of the ring. Positions
// count bytes since the ring was made.
type bytesModel struct {
	r         *ring.Bytes
	next      int // written up to here
	tail      int // published up to here
	passed    int // taken up to here
	head      int // released up to here
	committed []modelRecord
	published []modelRecord
	taken     []modelRecord
	held      [][]byte // the taken records as the ring gave them
	last      byte
}

type modelRecord struct {
	payload []byte
	end     int
}

func (m *bytesModel) Put(t *rapid.T) {
	n := rapid.IntRange(0, m.r.MaxRecord()).Draw(t, "reserve")
	size, pad := (8+n+7)/8*8, 0
	if rest := m.r.Cap() - m.next%m.r.Cap(); rest < size {
		pad = rest
	}
	b := m.r.Reserve(n)
	if fits := m.next+pad+size-m.head <= m.r.Cap(); (b != nil) != fits {
		t.Fatalf("Reserve(%d): space %v, want %v (%+v)", n, b != nil, fits, m)
	}
	if b == nil {
		return
	}
	m.next += pad
	if len(b) != n || cap(b) > n+7 {
		t.Fatalf("Reserve(%d): len %d, cap %d", n, len(b), cap(b))
	}
	if rapid.IntRange(0, 9).Draw(t, "commit") == 0 {
		return // thought better of it
	}
	n = rapid.IntRange(0, n).Draw(t, "committed of it")
	for i := range b {
		m.last++
		b[i] = m.last
	}
	m.r.Commit(n)
	m.next += (8 + n + 7) / 8 * 8
	m.committed = append(m.committed, modelRecord{bytes.Clone(b[:n]), m.next})
}

func (m *bytesModel) Publish(*rapid.T) {
	m.r.Publish()
	m.published, m.committed = append(m.published, m.committed...), nil
	m.tail = m.next
}

func (m *bytesModel) Next(t *rapid.T) {
	p := m.r.Next()
	if (p == nil) != (len(m.published) == 0) {
		t.Fatalf("Next() = %v with %d published", p, len(m.published))
	}
	if p == nil {
		m.passed = m.tail // padding without a record behind it, if any
		return
	}
	if cap(p) != len(p) {
		t.Fatalf("Next(): len %d, cap %d", len(p), cap(p))
	}
	rec := m.published[0]
	m.published, m.taken = m.published[1:], append(m.taken, rec)
	m.held = append(m.held, p)
	m.passed = rec.end
}

func (m *bytesModel) Release(*rapid.T) {
	m.r.Release()
	m.head, m.taken, m.held = m.passed, nil, nil
}

func (m *bytesModel) check(t *rapid.T) {
	if got := m.r.Len(); got != m.tail-m.head {
		t.Fatalf("Len() = %d, want %d", got, m.tail-m.head)
	}
	for i, p := range m.held {
		if !bytes.Equal(p, m.taken[i].payload) {
			t.Fatalf("taken record %d is %x, want %x", i, p, m.taken[i].payload)
		}
	}
}

func TestBytesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &bytesModel{r: ring.NewBytes(1 << rapid.IntRange(6, 9).Draw(t, "log2 of the capacity"))}
		start := startIndex(t, 8)
		m.r.SetIndex(start)
		at := int(start % uint64(m.r.Cap()))
		m.next, m.tail, m.passed, m.head = at, at, at, at
		t.Repeat(map[string]func(*rapid.T){
			"put": m.Put, "put more": m.Put, "publish": m.Publish,
			"next": m.Next, "next again": m.Next, "release": m.Release,
			"": m.check,
		})
	})
}

func TestBytesAllocs(t *testing.T) {
	r := ring.NewBytes(1024)
	p := make([]byte, 100)
	allocs := testing.AllocsPerRun(1000, func() {
		for put(r, p) {
		}
		r.Publish()
		for r.Next() != nil {
		}
		r.Release()
	})
	if allocs != 0 {
		t.Errorf("%v allocations a run", allocs)
	}
}
