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

// Push commits and publishes one entry, which only tests do; false when the ring is full.
// Producer only.
func (r *SPSC[T]) Push(v T) bool {
	s := r.Reserve(1)
	if len(s) == 0 {
		return false
	}
	s[0] = v
	r.Commit(1)
	r.Publish()
	return true
}

// Pop takes and releases one entry, likewise; false when the ring is empty. Consumer only.
func (r *SPSC[T]) Pop() (v T, ok bool) {
	s := r.Peek()
	if len(s) == 0 {
		return v, false
	}
	v = s[0]
	r.Take(1)
	r.Release()
	return v, true
}

// Cap is the size in bytes, headers and padding included.
func (r *Bytes) Cap() int { return len(r.buf) }
