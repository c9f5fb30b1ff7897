package ring

import "sync/atomic"

// EventCount is an eventcount for many producers and one consumer. It counts published entries, and
// makes exactly one producer wake the consumer if it sleeps. The count and the sleep bit are one
// word, so that Add and Sleep cannot miss each other: the later of the two sees the earlier.
//
//	producer: publish; if events.Add(n) { wake the consumer }
//	consumer: take k entries; events.Sub(k); ...; if events.Sleep() { block; events.Wake() }
//
// While the consumer is awake, Add costs one atomic add and no system call. While it sleeps,
// only the Add that raises the count from 0 wakes it.
//
// A consumer may take entries that are published before their Add. The count is then lower than
// the number of entries in the rings, or even negative, until that Add. If the consumer
// meanwhile sleeps because the count is 0, although another producer's entry is counted, the
// missing Add wakes it: nothing is lost, and nothing waits longer than a producer takes from
// Publish to Add. A producer that must avoid even that calls Add first, then publishes, and
// only then wakes anyone: the count is then never too low.
type EventCount struct {
	_     [cacheLine]byte
	state atomic.Int64 // 2*count, plus asleep if the consumer sleeps
	_     [cacheLine]byte
}

// asleep is the lowest bit, which a negative count does not change.
const asleep = 1

// Add adds n, which must be positive, to the count. If it returns true, the caller must wake the
// consumer. Any producer.
func (b *EventCount) Add(n int) (wake bool) { return b.state.Add(2*int64(n)) == 2*int64(n)+asleep }

// Pending returns the count. Any goroutine.
func (b *EventCount) Pending() int { return int(b.state.Load() >> 1) }

// Sub subtracts n from the count, after n entries have been taken. Consumer only, and not
// between Sleep and Wake.
func (b *EventCount) Sub(n int) { b.state.Add(-2 * int64(n)) }

// Sleep announces that the consumer will block. It returns false, and announces nothing, if the
// count is not 0. Consumer only.
func (b *EventCount) Sleep() bool { return b.state.CompareAndSwap(0, asleep) }

// Wake withdraws Sleep, if that returned true; otherwise it does nothing. Consumer only.
func (b *EventCount) Wake() { b.state.And(^asleep) }
