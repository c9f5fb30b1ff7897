package ring

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
)

// Record layout in a Bytes ring. Records start at multiples of recordAlign, and
// a record never wraps: what does not fit before the end of the ring starts over
// at its beginning, behind a pad record that fills the rest.
//
//	bytes  field
//	0-7    length of the payload, little-endian, or recordPad
//	8-     payload, then zero to seven bytes up to the next multiple of 8
const (
	recordHeader = 8
	recordAlign  = 8
	recordPad    = 1<<64 - 1
)

// Bytes is a bounded ring of byte records with one producer goroutine and one
// consumer goroutine. A record's payload lies in one piece, so that it can be
// read, or given to the kernel, from where it lies.
//
// Invariant: headSeen <= head <= taken <= tailSeen <= tail <= next <= headSeen+cap,
// in wrapping arithmetic, and all are multiples of recordAlign.
type Bytes struct {
	_ [cacheLine]byte

	// Nobody's: never written after NewBytes.
	buf  []byte
	mask uint64

	_ [cacheLine]byte

	// Producer's, published to the consumer: records below it are whole.
	tail atomic.Uint64

	_ [cacheLine]byte

	// Producer's own.
	next     uint64 // written so far, published or not
	headSeen uint64 // last value of head that the producer loaded
	reserved uint64 // size of the record last reserved and not committed, else 0

	_ [cacheLine]byte

	// Consumer's, published to the producer: bytes below it are free again.
	head atomic.Uint64

	_ [cacheLine]byte

	// Consumer's own.
	taken    uint64 // taken so far, released or not
	tailSeen uint64 // last value of tail that the consumer loaded

	_ [cacheLine]byte
}

// NewBytes makes a ring of capacity bytes, a power of two of at least 64.
func NewBytes(capacity int) *Bytes {
	if capacity < 64 || capacity&(capacity-1) != 0 {
		panic(fmt.Sprintf("ring: capacity %d is not a power of two of at least 64", capacity))
	}
	return &Bytes{buf: make([]byte, capacity), mask: uint64(capacity - 1)}
}

// MaxRecord is the longest payload that is sure to fit an empty ring wherever
// its position stands.
func (r *Bytes) MaxRecord() int { return len(r.buf)/2 - recordHeader }

// Len is the number of published bytes, headers and padding included, that were
// not yet released. Any goroutine may ask; the answer may be out of date when it
// arrives, as with [SPSC.Len].
func (r *Bytes) Len() int {
	head := r.head.Load()
	return int(min(r.tail.Load()-head, uint64(len(r.buf))))
}

func recordSize(payload int) uint64 {
	return (recordHeader + uint64(payload) + recordAlign - 1) &^ (recordAlign - 1)
}

// Reserve returns room for a payload of n bytes, or nil when there is none now.
// n must be at most MaxRecord. Of several calls without a Commit between them
// the last counts. Producer only.
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

// Commit says that a record of n bytes, at most what was reserved, is written.
// The consumer sees it after Publish. Producer only.
func (r *Bytes) Commit(n int) {
	size := recordSize(n)
	if n < 0 || size > r.reserved {
		panic("ring: more committed than reserved")
	}
	binary.LittleEndian.PutUint64(r.buf[r.next&r.mask:], uint64(n))
	r.next += size
	r.reserved = 0
}

// Publish hands all committed records to the consumer: their contents pass with
// the store of tail. Producer only.
func (r *Bytes) Publish() { r.tail.Store(r.next) }

// Next takes the next record and returns its payload, or nil when none is
// published. The bytes stay the consumer's until Release. Consumer only.
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

// Release gives the room of all taken records back to the producer: the
// consumer's reads of them are over before the store of head. Consumer only.
func (r *Bytes) Release() { r.head.Store(r.taken) }
