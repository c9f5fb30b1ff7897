package pool

import (
	"fmt"
	"sync/atomic"

	"feedgate/worker"
)

// Slabs is the table of read buffers that the loop fills and the workers read.
// Only reference counts are shared; a slot's Data and Origin are written by the loop
// before it publishes the first descriptor that names it, and not again before the
// count has come back to zero.
type Slabs struct {
	slots []Slab
	free  func(id uint16)
}

// Slab is one read buffer.
type Slab struct {
	worker.Buffer
	refs atomic.Int32
	_    [128 - 44]byte // one slab's count off its neighbours' lines
}

// Message is the message at a span of the slab. The caller holds a reference.
func (s *Slab) Message(at span, seq uint64, tag uint8) worker.Message {
	return s.Buffer.Message(uint32(at>>32), uint32(at), seq, tag)
}

// NewSlabs makes a table of n slots, at most MaxSlabs. free is told, by whichever goroutine gave
// the last reference back, that a slab's count has reached zero.
func NewSlabs(n int, free func(id uint16)) *Slabs {
	if n > MaxSlabs {
		panic(fmt.Sprintf("worker: %d slabs, at most %d", n, MaxSlabs))
	}
	return &Slabs{slots: make([]Slab, n), free: free}
}

// At is slot id.
func (s *Slabs) At(id uint16) *Slab { return &s.slots[id] }

// Len is the number of slots.
func (s *Slabs) Len() int { return len(s.slots) }

// Hold adds n references. Only someone who holds one already may call it, so
// that a count never leaves zero behind the table's back; the loop sets a slab's
// first when it takes it.
func (s *Slabs) Hold(id uint16, n int) { s.slots[id].refs.Add(int32(n)) }

// Release gives n references back. The release of the last one passes the slab
// to whoever free hands it to: all reads of its bytes are over.
func (s *Slabs) Release(id uint16, n int) {
	left := s.slots[id].refs.Add(-int32(n))
	if left == 0 {
		s.free(id)
	} else if left < 0 {
		panic("worker: slab released more often than held")
	}
}

// Refs is the number of references held now.
func (s *Slabs) Refs(id uint16) int { return int(s.slots[id].refs.Load()) }

// bytes is the data of a message.
func (s *Slabs) bytes(id uint16, at span) []byte {
	off, end := at>>32, at>>32+at&(1<<32-1)
	return s.slots[id].Data[off:end:end]
}
