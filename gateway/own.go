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
// from copied on, and refused ones, in cur.Side.
func (in *intake) copyOwn() bool {
	if in.next < in.copied {
		return true
	}
	s, pool, msgs := &in.own, in.l.slabs, in.cur.Msgs
	if s.held && s.filled > 0 {
		s.rewind(pool)
	}
	if first := int(msgs[in.next].Len); !s.held || s.free() < first {
		s.close(pool)
		if !s.open(pool, first) {
			return false
		}
	}
	for in.copied = in.next; in.copied < len(msgs); in.copied++ {
		m := &msgs[in.copied]
		if !m.Side || m.Code != worker.OK {
			continue
		}
		if s.free() < int(m.Len) {
			break
		}
		at := s.filled
		s.filled += copy(s.data[at:], in.cur.Bytes(nil, m))
		m.Off = uint32(at)
	}
	return true
}

// slabOf is the slab that m, which is not refused, lies in.
func (in *intake) slabOf(m *wire.Msg) *openSlab {
	if m.Side {
		return &in.own
	}
	return &in.slab
}
