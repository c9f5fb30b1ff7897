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

// run is messages in one slab that arrived together. Their numbers and slots are consecutive or, if
// messages between them went to other workers, ascending.
type run struct {
	base  Desc // of the first message or, with distances, what they count from; Off and Len are not used
	spans []span
	// distances are those of the messages from base, in numbers and in slots; nil: 0, 1, 2 and so
	// on.
	distances []uint16
}

// span is the place of a message's frame in its slab: offset<<32 | length.
type span = uint64

// Span returns the span of a frame.
func Span(off, length uint32) uint64 { return uint64(off)<<32 | uint64(length) }

// oneRun returns the run of one message.
func oneRun(d Desc, spans []span) run { return run{base: d, spans: spans} }

// distance returns the distance of the i-th message from base.
func (r *run) distance(i int) int {
	if r.distances == nil {
		return i
	}
	return int(r.distances[i])
}

// seq returns the number of the i-th message.
func (r *run) seq(i int) uint64 { return r.base.Seq + uint64(r.distance(i)) }

// slot returns the slot of the i-th message.
func (r *run) slot(i int) uint32 { return r.base.Slot + uint32(r.distance(i)) }

// at returns the i-th message of the run.
func (r *run) at(i int) Desc {
	d := r.base
	d.Seq, d.Slot = r.seq(i), r.slot(i)
	d.Off, d.Len = uint32(r.spans[i]>>32), uint32(r.spans[i])
	return d
}

// cut removes the first n messages from the run, and returns them. If that is one, base has its number
// and slot.
func (r *run) cut(n int) run {
	head := run{base: r.base, spans: r.spans[:n]}
	r.spans = r.spans[n:]
	if r.distances == nil {
		r.base.Seq += uint64(n)
		r.base.Slot += uint32(n)
		return head
	}
	head.distances, r.distances = r.distances[:n], r.distances[n:]
	if n == 1 {
		head.base.Seq, head.base.Slot = head.seq(0), head.slot(0)
		head.distances = nil
	}
	return head
}
