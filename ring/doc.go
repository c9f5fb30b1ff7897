// Package ring has what a gateway's loop and its workers share: a single-producer single-consumer
// ring of values, [SPSC]; the same for byte records, [Bytes]; and an eventcount, [EventCount], with
// which a consumer of many rings sleeps until one of them has an entry.
//
// # Memory order
//
// A ring is published with one atomic store of an index, and read with one atomic load of it. In
// Go's memory model, an atomic store is synchronized before a load that observes it. So the
// consumer that sees a new tail also sees everything that the producer wrote to the slots before
// Publish. Likewise, when the producer sees a new head, the consumer's reads of the slots before
// Release are over, and the producer may write them again.
//
// Nothing else is shared. Each side has its own plain copy of the index that it writes, and a
// cached copy of the other side's index, on cache lines that the other side does not touch. It
// loads the other's index only if, by the cached copy, there is less space than it wants, or no
// entry. The two published indices have cache lines of their own, so that a consumer that polls
// an empty ring does not slow down a producer that fills slots.
//
// An atomic store in Go is sequentially consistent (XCHG on amd64, several nanoseconds). So both
// sides work in batches: they fill or read many slots, and then publish or release once.
//
// # Sleeping
//
// Before it sleeps, a consumer must announce that and then check once more for entries; after it
// has published, a producer must check whether the consumer sleeps. Both checks are a load after
// a store to another address, which even x86 may reorder; only sequentially consistent operations
// on both sides prevent that. [EventCount] keeps both in one word, so that nothing can be
// reordered. A worker that parks relies on sync/atomic being sequentially consistent.
package ring
