package feedserver

import "math/bits"

// seqSet is a set of sequence numbers within a window. A number's bit depends only on its low digits:
// the caller keeps the window no longer than span and clears the numbers that leave it.
type seqSet struct {
	words []uint64 // a power of two of them
}

// minSetWords is the initial size of a set, in words.
const minSetWords = 64

// span is the longest window that fits into the set.
func (s *seqSet) span() uint64 { return uint64(len(s.words)) * 64 }

// grow makes the set large enough for the window [from, to).
func (s *seqSet) grow(from, to uint64) {
	size := max(len(s.words), minSetWords)
	for uint64(size)*64 < to-from {
		size *= 2
	}
	if size == len(s.words) {
		return
	}
	old := *s
	s.words = make([]uint64, size)
	for seq := from; seq < from+old.span(); seq++ {
		if old.has(seq) {
			s.add(seq, 1)
		}
	}
}

// locate returns the word and bit of seq.
func (s *seqSet) locate(seq uint64) (word *uint64, bit uint64) {
	i := seq & (s.span() - 1)
	return &s.words[i/64], i % 64
}

// has reports whether seq is in the set.
func (s *seqSet) has(seq uint64) bool {
	word, bit := s.locate(seq)
	return *word>>bit&1 != 0
}

// add adds the n numbers from seq on and returns how many of them are new.
func (s *seqSet) add(seq, n uint64) (fresh uint64) {
	for n > 0 {
		word, bit := s.locate(seq)
		k := min(64-bit, n)
		mask := ^uint64(0) >> (64 - k) << bit
		fresh += k - uint64(bits.OnesCount64(*word&mask))
		*word |= mask
		seq, n = seq+k, n-k
	}
	return fresh
}

// clear removes [from, to).
func (s *seqSet) clear(from, to uint64) {
	for from < to {
		word, bit := s.locate(from)
		k := min(64-bit, to-from)
		*word &^= ^uint64(0) >> (64 - k) << bit
		from += k
	}
}

// clearLeading removes the consecutive members that begin at seq, up to limit, and returns the number
// after the last one.
func (s *seqSet) clearLeading(seq, limit uint64) uint64 {
	for seq < limit {
		word, bit := s.locate(seq)
		ones := uint64(bits.TrailingZeros64(^(*word >> bit)))
		k := min(ones, 64-bit, limit-seq)
		if k == 0 {
			break
		}
		*word &^= ^uint64(0) >> (64 - k) << bit
		seq += k
		if k < 64-bit {
			break
		}
	}
	return seq
}
