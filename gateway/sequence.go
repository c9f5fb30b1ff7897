package gateway

import "slices"

// arrival is what a sequence number is, coming when it does.
type arrival uint8

const (
	fresh arrival = iota // never seen in this session
	late                 // was missing, fills a gap
	again                // sent again: it was received before
	back                 // falls back within the connection: a protocol error
)

// maxSeq is the highest sequence number that may begin a session or end a gap. Up to
// 2^64, where numbers would start over, it is centuries of messages.
const maxSeq = 1<<64 - 1<<56

// maxGaps is how many gaps are remembered, as docs/protocol.md says.
const maxGaps = 1024

// seqRange is the numbers from first up to last.
type seqRange struct{ first, last uint64 }

// sequence judges the sequence numbers of one session over its connections. It is
// the loop's.
//
// Invariant within a connection: expect <= high+1, and every number below high was
// received in this session or is, or was once, in a gap.
type sequence struct {
	expect uint64     // next on this connection
	high   uint64     // lowest never received
	gaps   []seqRange // missing numbers below high, oldest gap first
}

// restart begins a session, or a connection of a protocol that knows none.
func (s *sequence) restart(first uint64) {
	*s = sequence{expect: first, high: first, gaps: s.gaps[:0]}
}

// verdict is what accept found out.
type verdict struct {
	arrival arrival
	gap     seqRange // numbers that are now missing; none when gap.last < gap.first
	skipped seqRange // numbers received before that the server did not send again; as gap
}

var noRange = seqRange{1, 0}

func (r seqRange) empty() bool { return r.last < r.first }

// resume begins another connection of the session, which sends from first on.
func (s *sequence) resume(first uint64) verdict {
	s.expect = 0
	v := s.jump(first)
	s.expect = first
	return v
}

// pass passes over the numbers before seq, which is about to be accepted.
func (s *sequence) pass(seq uint64) verdict {
	v := s.jump(seq)
	s.expect = seq
	return v
}

// jump passes over the numbers from expect up to seq-1.
func (s *sequence) jump(seq uint64) verdict {
	v := verdict{gap: noRange, skipped: noRange}
	if from, to := s.expect, min(seq, s.high); from < to {
		v.skipped = seqRange{from, to - 1}
	}
	if seq > s.high {
		v.gap = seqRange{s.high, seq - 1}
		s.high = seq
		s.gaps = append(s.gaps, v.gap)
		if len(s.gaps) > maxGaps {
			s.gaps = slices.Delete(s.gaps, 0, 1)
		}
	}
	return v
}

// inOrder reports whether seq is the one expected and never seen: the case that
// needs no judging.
func (s *sequence) inOrder(seq uint64) bool { return seq == s.expect && seq == s.high }

// took notes n numbers in order.
func (s *sequence) took(n int) {
	s.expect += uint64(n)
	s.high = s.expect
}

// knows reports whether accept would call seq sent again: it needs no new place.
func (s *sequence) knows(seq uint64) bool {
	if seq < s.expect || seq >= s.high {
		return false
	}
	for _, g := range s.gaps {
		if seq >= g.first && seq <= g.last {
			return false
		}
	}
	return true
}

// accept judges the next number of this connection.
func (s *sequence) accept(seq uint64) verdict {
	v := verdict{gap: noRange, skipped: noRange}
	switch {
	case seq < s.expect:
		v.arrival = back
		if s.fill(seq) {
			v.arrival = late
		}
		return v
	case seq > s.expect:
		v = s.jump(seq)
	}
	s.expect = seq + 1
	switch {
	case seq >= s.high:
		s.high = seq + 1
	case s.fill(seq):
		v.arrival = late
	default:
		v.arrival = again
	}
	return v
}

// fill takes a number out of the gaps; false when it is in none.
func (s *sequence) fill(seq uint64) bool {
	for i := range s.gaps {
		g := &s.gaps[i]
		switch {
		case seq < g.first || seq > g.last:
			continue
		case g.first == g.last:
			s.gaps = slices.Delete(s.gaps, i, i+1)
		case seq == g.first:
			g.first++
		case seq == g.last:
			g.last--
		default:
			s.gaps = slices.Insert(s.gaps, i+1, seqRange{seq + 1, g.last})
			s.gaps[i].last = seq - 1
			if len(s.gaps) > maxGaps {
				s.gaps = slices.Delete(s.gaps, 0, 1)
			}
		}
		return true
	}
	return false
}
