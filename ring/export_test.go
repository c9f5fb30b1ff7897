package ring

// SetIndex moves an empty ring's position to at, so that tests reach the wrap of
// the indices.
func (r *SPSC[T]) SetIndex(at uint64) {
	r.head.Store(at)
	r.tail.Store(at)
	r.next, r.headSeen, r.taken, r.tailSeen = at, at, at, at
}

// SetIndex moves an empty ring's position to at, a multiple of 8.
func (r *Bytes) SetIndex(at uint64) {
	if at%recordAlign != 0 {
		panic("ring: index is not aligned")
	}
	r.head.Store(at)
	r.tail.Store(at)
	r.next, r.headSeen, r.taken, r.tailSeen = at, at, at, at
}
