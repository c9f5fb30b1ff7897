package baselines

import (
	"slices"

	"feedgate/gateway/wire/fg1"
)

// split keeps the beginning of a frame that continues in gnet's next call. In gnet's inbound buffer
// it would make Peek and Next copy everything after it.
type split struct{ kept []byte }

// join appends the beginning of b to the kept bytes. whole is the frame, once it is complete or
// known to be invalid; it is valid until the next call of keep. rest is the rest of b.
func (s *split) join(b []byte) (whole, rest []byte) {
	if len(s.kept) == 0 {
		return nil, b
	}
	b = s.fill(b, fg1.HeaderSize)
	if len(s.kept) < fg1.HeaderSize {
		return nil, b
	}
	h := fg1.ParseHeader(s.kept)
	if accepted(h) {
		size := fg1.HeaderSize + int(h.Payload())
		if b = s.fill(b, size); len(s.kept) < size {
			return nil, b
		}
	}
	whole, s.kept = s.kept, s.kept[:0]
	return whole, b
}

// fill extends the kept bytes to n bytes, if b has enough, and returns the rest of b.
func (s *split) fill(b []byte, n int) []byte {
	missing := n - len(s.kept)
	if missing <= 0 {
		return b
	}
	k := min(missing, len(b))
	s.kept = append(slices.Grow(s.kept, missing), b[:k]...)
	return b[k:]
}

// keep keeps the beginning of a frame.
func (s *split) keep(b []byte) { s.kept = append(s.kept, b...) }
