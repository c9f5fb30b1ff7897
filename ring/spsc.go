package ring

import (
	"fmt"
	"sync/atomic"
)

// cacheLine separates memory that one goroutine writes from memory that the other reads. It is
// 128 rather than 64 because adjacent-line prefetchers load lines in pairs.
const cacheLine = 128

// SPSC is a bounded ring of values with one producer goroutine and one consumer goroutine. T
// should contain no pointers: a slot keeps its last value until it is written again, and slots
// without pointers need no write barriers and no scanning.
//
// Indices only increase, and are masked on access. At one entry per nanosecond a uint64 wraps
// around after 584 years, and the arithmetic remains correct then.
//
// Invariant, in wrapping arithmetic: headSeen <= head <= taken <= tailSeen <= tail <= next <=
// headSeen+cap.
type SPSC[T any] struct {
	_ [cacheLine]byte

	// Immutable after NewSPSC.
	buf  []T
	mask uint64

	_ [cacheLine]byte

	// Written by the producer: slots below it are filled.
	tail atomic.Uint64

	_ [cacheLine]byte

	// Producer only.
	next     uint64 // slots below it are filled, published or not
	headSeen uint64 // cached head

	_ [cacheLine]byte

	// Written by the consumer: slots below it are free.
	head atomic.Uint64

	_ [cacheLine]byte

	// Consumer only.
	taken    uint64 // slots below it are taken, released or not
	tailSeen uint64 // cached tail

	_ [cacheLine]byte
}

// NewSPSC makes a ring with capacity slots; capacity must be a power of two.
func NewSPSC[T any](capacity int) *SPSC[T] {
	if capacity < 1 || capacity&(capacity-1) != 0 {
		panic(fmt.Sprintf("ring: capacity %d is not a power of two", capacity))
	}
	return &SPSC[T]{buf: make([]T, capacity), mask: uint64(capacity - 1)}
}

// Cap returns the number of slots.
func (r *SPSC[T]) Cap() int { return len(r.buf) }

// Len returns the number of entries that are published and not released. Any goroutine may call
// it. The result may be out of date on return: for the producer it is an upper bound, for the
// consumer a lower bound.
func (r *SPSC[T]) Len() int {
	// head first: tail can only have increased since, so the difference is not
	// negative; it can exceed the capacity if both increase in between.
	head := r.head.Load()
	return int(min(r.tail.Load()-head, uint64(len(r.buf))))
}

// Reserve returns at most n contiguous free slots at the producer's position; none if the ring is
// full. The producer may write them until Commit. Producer only.
func (r *SPSC[T]) Reserve(n int) []T {
	free := uint64(len(r.buf)) - (r.next - r.headSeen)
	if free < uint64(n) {
		r.headSeen = r.head.Load()
		free = uint64(len(r.buf)) - (r.next - r.headSeen)
	}
	at := r.next & r.mask
	n = int(min(uint64(n), free, uint64(len(r.buf))-at))
	return r.buf[at : at+uint64(n) : at+uint64(n)]
}

// Free returns the number of free slots, contiguous or not, or most if that is less. It reads the
// consumer's index only if fewer than most were free when it was last read. Producer only.
func (r *SPSC[T]) Free(most int) int {
	free := uint64(len(r.buf)) - (r.next - r.headSeen)
	if free < uint64(most) {
		r.headSeen = r.head.Load()
		free = uint64(len(r.buf)) - (r.next - r.headSeen)
	}
	return int(min(free, uint64(most)))
}

// ToEnd returns the number of slots, free or not, from the producer's position to the end of the
// ring, beyond which Reserve's slices do not extend. Producer only.
func (r *SPSC[T]) ToEnd() int { return len(r.buf) - int(r.next&r.mask) }

// Commit marks the first n slots of the last Reserve as filled. The consumer sees them after
// Publish. Producer only.
func (r *SPSC[T]) Commit(n int) {
	if uint64(n) > uint64(len(r.buf))-(r.next-r.headSeen) {
		panic("ring: more committed than reserved")
	}
	r.next += uint64(n)
}

// Publish makes all committed slots visible to the consumer. Producer only.
func (r *SPSC[T]) Publish() { r.tail.Store(r.next) }

// Peek returns contiguous published entries at the consumer's position; none if the ring is
// empty. If the consumer has not yet taken all entries that it knows of, newer ones may be
// missing. The consumer may read them until Release. Consumer only.
func (r *SPSC[T]) Peek() []T {
	if r.taken == r.tailSeen {
		r.tailSeen = r.tail.Load()
	}
	at := r.taken & r.mask
	n := min(r.tailSeen-r.taken, uint64(len(r.buf))-at)
	return r.buf[at : at+n : at+n]
}

// All returns all published entries that have not been taken, in two pieces: up to the end of the
// ring, and from its start. The consumer may read them until Release. Consumer only.
func (r *SPSC[T]) All() (first, second []T) {
	r.tailSeen = r.tail.Load()
	n, at := r.tailSeen-r.taken, r.taken&r.mask
	side := min(n, uint64(len(r.buf))-at)
	return r.buf[at : at+side : at+side], r.buf[: n-side : n-side]
}

// Take takes the first n entries of the last Peek; the next Peek begins after them. The producer
// may reuse their slots after Release. Consumer only.
func (r *SPSC[T]) Take(n int) {
	if uint64(n) > r.tailSeen-r.taken {
		panic("ring: more taken than published")
	}
	r.taken += uint64(n)
}

// Release returns the slots of all taken entries to the producer. Consumer only.
func (r *SPSC[T]) Release() { r.head.Store(r.taken) }

// Empty reports whether no entry is published beyond the taken ones. It reloads the producer's
// index: it is the second check of a consumer that is about to sleep. Consumer only.
func (r *SPSC[T]) Empty() bool {
	r.tailSeen = r.tail.Load()
	return r.taken == r.tailSeen
}
