package pool

// Desc describes a message in a slab.
type Desc struct {
	Seq  uint64 // as in Message
	Slot uint32 // low half of the message's slot in the gateway's in-flight window
	Off  uint32 // of its frame in the slab
	Len  uint32
	Slab uint16 // index in Slabs
	Tag  uint8  // as in worker.Message
}

// run is messages with consecutive numbers and slots, in one slab.
type run struct {
	first Desc // Off and Len are not used
	spans []span
}

// span is the place of a message's frame in its slab: offset<<32 | length.
type span = uint64

// Span returns the span of a frame.
func Span(off, length uint32) uint64 { return uint64(off)<<32 | uint64(length) }

// at returns the i-th message of the run.
func (r *run) at(i int) Desc {
	d := r.first
	d.Seq += uint64(i)
	d.Slot += uint32(i)
	d.Off, d.Len = uint32(r.spans[i]>>32), uint32(r.spans[i])
	return d
}

// cut removes the first n messages from the run, and returns them.
func (r *run) cut(n int) run {
	head := run{r.first, r.spans[:n]}
	r.spans = r.spans[n:]
	r.first.Seq += uint64(n)
	r.first.Slot += uint32(n)
	return head
}
