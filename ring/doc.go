// Package ring holds the three things that a gateway's loop and its workers
// share: a single-producer single-consumer ring of values ([SPSC]), the same
// of byte records ([Bytes]), and the [Bell] that tells a sleeping consumer that
// one of many rings has become non-empty.
//
// # Memory order
//
// Both rings publish with one atomic store of an index and take with one atomic
// load of it. In Go's memory model an atomic load that observes an atomic store
// is synchronized after it, so everything that the producer wrote to the slots
// before its Publish is visible to the consumer that sees the new tail, and
// everything that the consumer read from the slots before its Release is over
// when the producer sees the new head and writes them again. Nothing else in a
// ring is shared: each side keeps its own plain copy of the index it writes and
// a cached copy of the other's, on a cache line that the other side does not
// touch, and asks for the real one only when by the cached one there is less room
// than it wants, or nothing to take. The two published indices lie on lines of
// their own, so that a consumer which polls an empty ring does not slow down a
// producer that fills slots and has not published them.
//
// Go's atomic store is sequentially consistent (an XCHG on amd64, several
// nanoseconds), so both sides batch: fill or read many slots, then publish or
// release once.
//
// # Sleeping
//
// A consumer that sleeps must look once more after it has said that it sleeps,
// and the producer must look whether it sleeps after it has published. Both
// looks are a load after a store to another address, the one reordering that
// even x86 allows; only sequentially consistent operations on both sides forbid
// it. [Bell] makes them one word, so that there is nothing to reorder; a worker
// that parks relies on sync/atomic being sequentially consistent.
package ring
