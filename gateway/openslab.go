package gateway

// openSlab is a slab that the loop fills, if it has one, with what one connection has
// brought. The loop owns it; the workers read what was given to them.
type openSlab struct {
	valid      bool
	id         uint16
	data       []byte
	filled     int // bytes of data in use
	dispatched int // messages in it that were given to workers
}

// open takes a slab of at least n bytes; false when memory does not allow it now.
func (s *openSlab) open(p *slabPool, n int) bool {
	id, ok := p.get(n)
	if ok {
		*s = openSlab{valid: true, id: id, data: p.table.At(id).Data}
	}
	return ok
}

// close lets go of the slab: it is free once the workers are done with it.
func (s *openSlab) close(p *slabPool) {
	if s.valid {
		p.release(s.id, s.dispatched)
		*s = openSlab{}
	}
}

// rewind empties the slab if the workers are done with all that they were given; false when
// they are not. All that is of use must have been dispatched.
func (s *openSlab) rewind(p *slabPool) bool {
	if !p.idle(s.id, s.dispatched) {
		return false
	}
	p.memory.Recycle(s.data[:s.filled])
	p.table.Hold(s.id, s.dispatched)
	s.dispatched, s.filled = 0, 0
	return true
}

// free is how many bytes more it holds.
func (s *openSlab) free() int { return len(s.data) - s.filled }
