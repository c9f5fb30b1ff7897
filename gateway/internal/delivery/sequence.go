package delivery

import (
	"slices"
	"sort"
)

// Arrival classifies a sequence number as it arrives.
type Arrival uint8

// Arrivals.
const (
	InOrder     Arrival = iota // the expected number, and new
	Fresh                      // new, after a jump
	Late                       // fills a gap
	Redelivered                // received earlier in this session
	Back                       // goes back within the connection: a protocol error
)

// MaxSeq is the highest sequence number that may begin a session or end a gap. The 2^56 numbers above
// it, before they would wrap, last for decades at 30 million messages a second.
const MaxSeq = 1<<64 - 1<<56

// maxGaps is how many gaps are remembered (docs/protocol.md).
const maxGaps = 1024

// Range holds the numbers from First to Last, inclusive. It is empty if Last is less than First.
type Range struct{ First, Last uint64 }

var (
	noNumbers  = Range{1, 0}
	allNumbers = Range{0, 1<<64 - 1}
)

// Empty reports whether the range has no numbers.
func (r Range) Empty() bool { return r.Last < r.First }

// sequence classifies the sequence numbers of one session, across its connections.
//
// Invariant within a connection: expect <= high+1, and every number below high was received in this
// session or is, or once was, in a gap.
type sequence struct {
	expect uint64  // next number on this connection
	high   uint64  // one more than the highest number received or missing
	gaps   []Range // missing numbers below high, ascending
}

// verdict is the result of accepting a number or jumping to one.
type verdict struct {
	arrival   Arrival
	gap       Range // numbers that are missing as a result
	notResent Range // numbers received earlier that the server did not redeliver
}

// restart begins a session.
func (s *sequence) restart(first uint64) {
	*s = sequence{expect: first, high: first, gaps: s.gaps[:0]}
}

// resume begins another connection of the session, on which the server starts with first.
func (s *sequence) resume(first uint64) verdict {
	s.expect = 0
	return s.jumpTo(first)
}

// jumpTo skips the numbers before seq, which the caller accepts next.
func (s *sequence) jumpTo(seq uint64) verdict {
	v := s.jump(seq)
	s.expect = seq
	return v
}

// jump skips the numbers from expect to seq-1. The caller sets expect.
func (s *sequence) jump(seq uint64) verdict {
	v := verdict{gap: noNumbers, notResent: noNumbers}
	if from, to := s.expect, min(seq, s.high); from < to {
		v.notResent = Range{from, to - 1}
	}
	if seq > s.high {
		v.gap = Range{s.high, seq - 1}
		s.high = seq
		s.gaps = append(s.gaps, v.gap)
		s.dropOldestGap()
	}
	return v
}

// inOrder reports whether seq is the expected number and new: the fast path.
func (s *sequence) inOrder(seq uint64) bool { return seq == s.expect && seq == s.high }

// advance accepts n numbers in order.
func (s *sequence) advance(n int) {
	s.expect += uint64(n)
	s.high = s.expect
}

// classify returns the arrival that accept would find.
func (s *sequence) classify(seq uint64) Arrival {
	switch missing := s.gapOf(seq) >= 0; {
	case s.inOrder(seq):
		return InOrder
	case missing:
		return Late
	case seq < s.expect:
		return Back
	case seq < s.high:
		return Redelivered
	}
	return Fresh
}

// accept accepts the next number of this connection.
func (s *sequence) accept(seq uint64) verdict {
	v := verdict{gap: noNumbers, notResent: noNumbers}
	switch {
	case seq < s.expect:
		v.arrival = Back
		if s.fillGap(seq) {
			v.arrival = Late
		}
		return v
	case seq > s.expect:
		v = s.jump(seq)
	}
	s.expect = seq + 1
	switch {
	case seq >= s.high:
		s.high = seq + 1
		v.arrival = Fresh
	case s.fillGap(seq):
		v.arrival = Late
	default:
		v.arrival = Redelivered
	}
	return v
}

// gapOf returns the index of the gap that contains seq; -1: none does.
func (s *sequence) gapOf(seq uint64) int {
	i := sort.Search(len(s.gaps), func(i int) bool { return s.gaps[i].Last >= seq })
	if i == len(s.gaps) || s.gaps[i].First > seq {
		return -1
	}
	return i
}

// fillGap removes a number from its gap; false if it is in none.
func (s *sequence) fillGap(seq uint64) bool {
	i := s.gapOf(seq)
	if i < 0 {
		return false
	}
	switch g := &s.gaps[i]; {
	case g.First == g.Last:
		s.gaps = slices.Delete(s.gaps, i, i+1)
	case seq == g.First:
		g.First++
	case seq == g.Last:
		g.Last--
	default:
		s.gaps = slices.Insert(s.gaps, i+1, Range{seq + 1, g.Last})
		s.gaps[i].Last = seq - 1
		s.dropOldestGap()
	}
	return true
}

// dropOldestGap forgets the oldest gap if there are too many. Its numbers then count as received.
func (s *sequence) dropOldestGap() {
	if len(s.gaps) > maxGaps {
		s.gaps = slices.Delete(s.gaps, 0, 1)
	}
}
