package ring

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
)

// Layout of a record. Records start at multiples of recordAlign and never wrap: a record that
// does not fit before the end of the ring starts at its beginning, and a pad record fills the
// rest.
//
//	bytes  field
//	0-7    length of the payload, little-endian, or recordPad
//	8-     payload, then zero to seven bytes up to the next multiple of 8
const (
	recordHeader = 8
	recordAlign  = 8
	recordPad    = 1<<64 - 1
)

// Bytes is a bounded ring of byte records with one producer goroutine and one consumer goroutine.
// The payload of a record is contiguous, so it can be read in place, or passed to the kernel.
//
// Invariant, in wrapping arithmetic: headSeen <= head <= taken <= tailSeen <= tail <= next <=
// headSeen+cap. All are multiples of recordAlign.
type Bytes struct {
	_ [cacheLine]byte

	// Immutable after NewBytes.
	buf  []byte
	mask uint64

	_ [cacheLine]byte

	// Written by the producer: records below it are complete.
	tail atomic.Uint64

	_ [cacheLine]byte

	// Producer only.
	next     uint64 // bytes below it are written, published or not
	headSeen uint64 // cached head
	reserved uint64 // size of the reserved record; 0: none

	_ [cacheLine]byte

	// Written by the consumer: bytes below it are free.
	head atomic.Uint64

	_ [cacheLine]byte

	// Consumer only.
	taken    uint64 // bytes below it are taken, released or not
	tailSeen uint64 // cached tail

	_ [cacheLine]byte
}

// NewBytes makes a ring of capacity bytes; capacity must be a power of two of at least 64.
func NewBytes(capacity int) *Bytes {
	if capacity < 64 || capacity&(capacity-1) != 0 {
		panic(fmt.Sprintf("ring: capacity %d is not a power of two of at least 64", capacity))
	}
	return &Bytes{buf: make([]byte, capacity), mask: uint64(capacity - 1)}
}

// MaxRecord returns the longest payload that is certain to fit into an empty ring, at any
// position.
func (r *Bytes) MaxRecord() int { return len(r.buf)/2 - recordHeader }

// Len returns the number of bytes, headers and padding included, that are published and not
// released. Any goroutine may call it; the result may be out of date on return, as with
// [SPSC.Len].
func (r *Bytes) Len() int {
	head := r.head.Load()
	return int(min(r.tail.Load()-head, uint64(len(r.buf))))
}

func recordSize(payload int) uint64 {
	return (recordHeader + uint64(payload) + recordAlign - 1) &^ (recordAlign - 1)
}

// Reserve returns space for a payload of n bytes, at most MaxRecord, or nil if the ring has none
// now. Another Reserve before Commit replaces it. Producer only.
func (r *Bytes) Reserve(n int) []byte {
	if n < 0 || n > r.MaxRecord() {
		panic(fmt.Sprintf("ring: record of %d bytes, at most %d fit", n, r.MaxRecord()))
	}
	size := recordSize(n)
	at := r.next & r.mask
	skip := uint64(0)
	if rest := uint64(len(r.buf)) - at; rest < size {
		skip = rest
	}
	if r.next+skip+size-r.headSeen > uint64(len(r.buf)) {
		r.headSeen = r.head.Load()
		if r.next+skip+size-r.headSeen > uint64(len(r.buf)) {
			r.reserved = 0
			return nil
		}
	}
	if skip > 0 {
		binary.LittleEndian.PutUint64(r.buf[at:], recordPad)
		r.next += skip
		at = 0
	}
	r.reserved = size
	return r.buf[at+recordHeader : at+recordHeader+uint64(n) : at+size]
}

// Commit marks a record of n bytes as written, at most as many as were reserved. The consumer
// sees it after Publish. Producer only.
func (r *Bytes) Commit(n int) {
	size := recordSize(n)
	if n < 0 || size > r.reserved {
		panic("ring: more committed than reserved")
	}
	binary.LittleEndian.PutUint64(r.buf[r.next&r.mask:], uint64(n))
	r.next += size
	r.reserved = 0
}

// Publish makes all committed records visible to the consumer. Producer only.
func (r *Bytes) Publish() { r.tail.Store(r.next) }

// Next takes the next record and returns its payload, or nil if no record is published. The
// consumer may read it until Release. Consumer only.
func (r *Bytes) Next() []byte {
	for {
		if r.taken == r.tailSeen {
			r.tailSeen = r.tail.Load()
			if r.taken == r.tailSeen {
				return nil
			}
		}
		at := r.taken & r.mask
		n := binary.LittleEndian.Uint64(r.buf[at:])
		if n == recordPad {
			r.taken += uint64(len(r.buf)) - at
			continue
		}
		r.taken += recordSize(int(n))
		return r.buf[at+recordHeader : at+recordHeader+n : at+recordHeader+n]
	}
}

// Release returns the space of all taken records to the producer. Consumer only.
func (r *Bytes) Release() { r.head.Store(r.taken) }
