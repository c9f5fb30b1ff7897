package gateway

import (
	"feedgate/gateway/wire"
	"feedgate/worker"
)

// copyOwn copies the bytes of the next message, which is an own one, to a slab, and those of the
// own messages behind it that fit too, so that they can go to a worker as a run. False: memory
// has no slab now.
//
// Invariant: own messages of cur.Msgs from next up to copied lie in the slab own; those
// from copied on, and refused ones, in cur.Own.
func (r *receiver) copyOwn() bool {
	if r.next < r.copiedTo {
		return true
	}
	s, slabs, msgs := &r.own, r.l.slabs, r.input.Msgs
	if s.valid && s.filled > 0 {
		s.rewind(slabs)
	}
	if first := int(msgs[r.next].Len); !s.valid || s.free() < first {
		s.close(slabs)
		if !s.open(slabs, first) {
			return false
		}
	}
	for r.copiedTo = r.next; r.copiedTo < len(msgs); r.copiedTo++ {
		m := &msgs[r.copiedTo]
		if !m.Own || m.Code != worker.OK {
			continue
		}
		if s.free() < int(m.Len) {
			break
		}
		at := s.filled
		s.filled += copy(s.data[at:], r.input.Bytes(nil, m))
		m.Off = uint32(at)
	}
	return true
}

// slabOf is the slab that m, which is not refused, lies in.
func (r *receiver) slabOf(m *wire.Msg) *openSlab {
	if m.Own {
		return &r.own
	}
	return &r.slab
}
