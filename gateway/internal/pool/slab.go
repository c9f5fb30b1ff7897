package pool

import (
	"fmt"
	"sync/atomic"

	"feedgate/worker"
)

// Slabs is the table of read buffers, which the loop fills and the workers read. Only the reference
// counts are shared. The loop writes the Data and the Origin of a slab before it publishes the
// first descriptor with its number, and not again before the count is back at zero.
type Slabs struct {
	slots []Slab
	free  func(id uint16)
}

// Slab is one read buffer.
type Slab struct {
	worker.Buffer
	refs atomic.Int32
	_    [128 - 44]byte // keeps the counts of two slabs on different cache lines
}

// Message returns the message at a span of the slab. The caller holds a reference.
func (s *Slab) Message(at span, seq uint64, tag uint8) worker.Message {
	return s.Buffer.Message(uint32(at>>32), uint32(at), seq, tag)
}

// NewSlabs makes a table of n slabs, at most MaxSlabs. The goroutine that releases the last
// reference to a slab calls free.
func NewSlabs(n int, free func(id uint16)) *Slabs {
	if n > MaxSlabs {
		panic(fmt.Sprintf("pool: %d slabs, at most %d", n, MaxSlabs))
	}
	return &Slabs{slots: make([]Slab, n), free: free}
}

// At returns a slab.
func (s *Slabs) At(id uint16) *Slab { return &s.slots[id] }

// Len returns the number of slabs.
func (s *Slabs) Len() int { return len(s.slots) }

// Hold adds n references. The caller must already hold one, except for the loop, which owns a slab
// without references.
func (s *Slabs) Hold(id uint16, n int) { s.slots[id].refs.Add(int32(n)) }

// Release releases n references. When the last one is released, nobody reads the slab any more.
func (s *Slabs) Release(id uint16, n int) {
	left := s.slots[id].refs.Add(-int32(n))
	if left == 0 {
		s.free(id)
	} else if left < 0 {
		panic("pool: slab released more often than held")
	}
}

// Refs returns the number of references.
func (s *Slabs) Refs(id uint16) int { return int(s.slots[id].refs.Load()) }

// bytes returns the frame of a message.
func (s *Slabs) bytes(id uint16, at span) []byte {
	off, end := at>>32, at>>32+at&(1<<32-1)
	return s.slots[id].Data[off:end:end]
}
