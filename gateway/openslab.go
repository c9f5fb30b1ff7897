package gateway

// openSlab is a slab that the loop is filling for the current connection. The zero value is none. The
// loop owns it; workers read the messages that were dispatched from it.
type openSlab struct {
	valid      bool
	id         uint16
	data       []byte
	filled     int // bytes of data in use
	dispatched int // its messages that were given to workers
}

// open gets a slab of at least n bytes. It returns false if --memory does not allow one now.
func (s *openSlab) open(p *slabPool, n int) bool {
	id, ok := p.get(n)
	if ok {
		*s = openSlab{valid: true, id: id, data: p.table.At(id).Data}
	}
	return ok
}

// close releases the slab, which becomes free once the workers are done with it.
func (s *openSlab) close(p *slabPool) {
	if s.valid {
		p.release(s.id, s.dispatched)
		*s = openSlab{}
	}
}

// rewind empties the slab if the workers are done with all its messages; otherwise it returns false.
// Everything in it must have been dispatched.
func (s *openSlab) rewind(p *slabPool) bool {
	if !p.idle(s.id, s.dispatched) {
		return false
	}
	p.memory.Recycle(s.data[:s.filled])
	p.table.Hold(s.id, s.dispatched)
	s.dispatched, s.filled = 0, 0
	return true
}

// free returns the number of unused bytes.
func (s *openSlab) free() int { return len(s.data) - s.filled }
