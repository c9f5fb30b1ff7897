package ring

import (
	"fmt"
	"sync/atomic"
)

// cacheLine keeps what one goroutine writes off the lines that the other reads.
// 128 rather than 64: adjacent-line prefetchers pull lines in pairs.
const cacheLine = 128

// SPSC is a bounded ring of values with one producer goroutine and one consumer
// goroutine. T should hold no pointers: a slot keeps its last value until it is
// written again, and pointer-free slots cost no write barriers and no scanning.
//
// Indices count up for ever and are masked on access; at one entry a nanosecond
// a uint64 wraps after 584 years, and the arithmetic holds across the wrap.
//
// Invariant: headSeen <= head <= taken <= tailSeen <= tail <= next <= headSeen+cap,
// in wrapping arithmetic.
type SPSC[T any] struct {
	_ [cacheLine]byte

	// Nobody's: never written after NewSPSC.
	buf  []T
	mask uint64

	_ [cacheLine]byte

	// Producer's, published to the consumer: slots below it are filled.
	tail atomic.Uint64

	_ [cacheLine]byte

	// Producer's own.
	next     uint64 // filled so far, published or not
	headSeen uint64 // last value of head that the producer loaded

	_ [cacheLine]byte

	// Consumer's, published to the producer: slots below it are free again.
	head atomic.Uint64

	_ [cacheLine]byte

	// Consumer's own.
	taken    uint64 // taken so far, released or not
	tailSeen uint64 // last value of tail that the consumer loaded

	_ [cacheLine]byte
}

// NewSPSC makes a ring of capacity entries, which must be a power of two.
func NewSPSC[T any](capacity int) *SPSC[T] {
	if capacity < 1 || capacity&(capacity-1) != 0 {
		panic(fmt.Sprintf("ring: capacity %d is not a power of two", capacity))
	}
	return &SPSC[T]{buf: make([]T, capacity), mask: uint64(capacity - 1)}
}

// Cap is the number of slots.
func (r *SPSC[T]) Cap() int { return len(r.buf) }

// Len is the number of published entries that were not yet released. Any
// goroutine may ask. The answer may be out of date when it arrives: for the
// producer there are at most so many, for the consumer at least.
func (r *SPSC[T]) Len() int {
	// head first: tail can only have moved on since, so the difference is not
	// negative; it can exceed the capacity when both have moved in between.
	head := r.head.Load()
	return int(min(r.tail.Load()-head, uint64(len(r.buf))))
}

// Reserve returns the free slots that lie side by side from the producer's
// position on, at most n of them; none when the ring is full. The slice is the
// producer's until it commits. Producer only.
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

// ToEnd is the number of slots, free or not, from the producer's position to the
// end of the ring, where Reserve's slices end. Producer only.
func (r *SPSC[T]) ToEnd() int { return len(r.buf) - int(r.next&r.mask) }

// Commit says that the first n slots of the last Reserve are filled. The
// consumer sees them after Publish. Producer only.
func (r *SPSC[T]) Commit(n int) {
	if uint64(n) > uint64(len(r.buf))-(r.next-r.headSeen) {
		panic("ring: more committed than reserved")
	}
	r.next += uint64(n)
}

// Publish hands all committed slots to the consumer: their contents pass with
// the store of tail. Producer only.
func (r *SPSC[T]) Publish() { r.tail.Store(r.next) }

// Peek returns published entries that lie side by side from the consumer's
// position on; none when the ring is empty. Entries published since the consumer
// last looked may be missing as long as it has older ones. They stay the
// consumer's until it releases them. Consumer only.
func (r *SPSC[T]) Peek() []T {
	if r.taken == r.tailSeen {
		r.tailSeen = r.tail.Load()
	}
	at := r.taken & r.mask
	n := min(r.tailSeen-r.taken, uint64(len(r.buf))-at)
	return r.buf[at : at+n : at+n]
}

// All returns all published entries that were not taken, in two pieces: up to the end of the
// ring, and from its start on. They stay the consumer's until it releases them. Consumer only.
func (r *SPSC[T]) All() (first, second []T) {
	r.tailSeen = r.tail.Load()
	n, at := r.tailSeen-r.taken, r.taken&r.mask
	side := min(n, uint64(len(r.buf))-at)
	return r.buf[at : at+side : at+side], r.buf[: n-side : n-side]
}

// Take says that the consumer is done with the first n entries of the last Peek,
// so that the next Peek starts behind them. The producer may reuse their slots
// after Release. Consumer only.
func (r *SPSC[T]) Take(n int) {
	if uint64(n) > r.tailSeen-r.taken {
		panic("ring: more taken than published")
	}
	r.taken += uint64(n)
}

// Release gives the slots of all taken entries back to the producer: the
// consumer's reads of them are over before the store of head. Consumer only.
func (r *SPSC[T]) Release() { r.head.Store(r.taken) }

// Empty reports whether nothing is published beyond what was taken, looking past
// the cached index. It is the second look of a consumer that is about to sleep.
// Consumer only.
func (r *SPSC[T]) Empty() bool {
	r.tailSeen = r.tail.Load()
	return r.taken == r.tailSeen
}
