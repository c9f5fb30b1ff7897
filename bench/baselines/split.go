package baselines

import (
	"slices"

	"feedgate/gateway/wire/fg1"
)

// split keeps the beginning of a frame whose rest comes with gnet's next call. To
// leave it in gnet's inbound buffer would make Peek and Next copy all that comes
// behind it.
type split struct{ kept []byte }

// join puts the beginning of b to what was kept. whole is the frame, once it is
// one or can be none, valid until keep is called; rest is what is left of b.
func (s *split) join(b []byte) (whole, rest []byte) {
	if len(s.kept) == 0 {
		return nil, b
	}
	b = s.fill(b, fg1.HeaderSize)
	if len(s.kept) < fg1.HeaderSize {
		return nil, b
	}
	h := fg1.ParseHeader(s.kept)
	if taken(h) {
		size := fg1.HeaderSize + int(h.Payload())
		if b = s.fill(b, size); len(s.kept) < size {
			return nil, b
		}
	}
	whole, s.kept = s.kept, s.kept[:0]
	return whole, b
}

// fill brings what is kept up to n bytes, if b has as many, and returns what is
// left of b.
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
