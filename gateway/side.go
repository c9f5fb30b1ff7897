package gateway

import (
	"feedgate/gateway/wire"
	"feedgate/worker"
)

// copySide copies the next message, a side message (see wire.Input.Side), to the slab side, and with it the
// side messages behind it that fit, so that they can form a run. It returns false if --memory does not
// allow a slab now.
//
// Invariant: the side messages in input.Msgs[next:copiedTo] are in the slab side; later ones, and
// refused ones, are in input.Side.
func (r *receiver) copySide() bool {
	if r.next < r.copiedTo {
		return true
	}
	s, slabs, msgs := &r.side, r.l.slabs, r.input.Msgs
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
		if !m.Side || m.Code != worker.OK {
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

// slabOf returns the slab that holds m, which is not refused.
func (r *receiver) slabOf(m *wire.Msg) *openSlab {
	if m.Side {
		return &r.side
	}
	return &r.slab
}
