package ring

import "sync/atomic"

// Bell counts what many producers have published for one consumer, and tells
// exactly one of them to wake it when it sleeps. One word holds the count and
// the sleeping bit, so a ring and a sleep cannot miss each other: whichever
// comes second in the word's modification order sees the other.
//
//	producer: publish; if bell.Ring(n) { wake the consumer }
//	consumer: take k records; bell.Answer(k); ...; if bell.Sleep() { block; bell.Wake() }
//
// A ring while the consumer is awake costs one atomic add and no system call,
// and of many rings while it sleeps only the one that leaves zero wakes it.
//
// A consumer may take what is published but not yet rung; the count is then
// below what lies in the rings, even negative, until that ring comes. Should the
// consumer sleep meanwhile on a zero that hides another producer's record, the
// ring to come finds it asleep and wakes it: nothing is lost, and nothing waits
// longer than that producer takes from its Publish to its Ring. Who cannot have
// even that rings first and publishes next, before it wakes anyone: the count is
// then never below what lies in the rings.
type Bell struct {
	_     [cacheLine]byte
	state atomic.Int64 // twice the count of what was rung and not yet answered | asleep
	_     [cacheLine]byte
}

// asleep lies below the count, where a negative count does not reach it.
const asleep = 1

// Ring adds n, which must be positive, to the count. True tells the caller to
// wake the consumer. Any producer.
func (b *Bell) Ring(n int) (wake bool) { return b.state.Add(2*int64(n)) == 2*int64(n)+asleep }

// Pending is the count. Any goroutine.
func (b *Bell) Pending() int { return int(b.state.Load() >> 1) }

// Answer takes n off the count, after what it counted was taken. Consumer only,
// and not between Sleep and Wake.
func (b *Bell) Answer(n int) { b.state.Add(-2 * int64(n)) }

// Sleep announces that the consumer is going to block; false, and nothing
// announced, when the count is not zero. Consumer only.
func (b *Bell) Sleep() bool { return b.state.CompareAndSwap(0, asleep) }

// Wake withdraws Sleep; without one it does nothing. Consumer only.
func (b *Bell) Wake() { b.state.And(^asleep) }
