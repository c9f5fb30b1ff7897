package feedserver

import "math/bits"

// bitRing is a set of sequence numbers within a window that only moves up. Its
// user keeps the window no longer than room and clears what leaves it, so that
// every number has a bit of its own.
type bitRing struct {
	words []uint64 // a power of two of them
}

// minRing is the first size of a ring, in words.
const minRing = 64

// room is the longest window.
func (r *bitRing) room() uint64 { return uint64(len(r.words)) * 64 }

// fit makes room for the window [from, to).
func (r *bitRing) fit(from, to uint64) {
	size := max(len(r.words), minRing)
	for uint64(size)*64 < to-from {
		size *= 2
	}
	if size == len(r.words) {
		return
	}
	old := *r
	r.words = make([]uint64, size)
	for seq := from; seq < from+old.room(); seq++ {
		if old.has(seq) {
			r.add(seq, 1)
		}
	}
}

func (r *bitRing) at(seq uint64) (word *uint64, bit uint64) {
	i := seq & (r.room() - 1)
	return &r.words[i/64], i % 64
}

// has says whether seq is in the set.
func (r *bitRing) has(seq uint64) bool {
	word, bit := r.at(seq)
	return *word>>bit&1 != 0
}

// add puts n numbers from seq on into the set and returns how many of them are
// new there.
func (r *bitRing) add(seq, n uint64) (fresh uint64) {
	for n > 0 {
		word, bit := r.at(seq)
		k := min(64-bit, n)
		mask := ^uint64(0) >> (64 - k) << bit
		fresh += k - uint64(bits.OnesCount64(*word&mask))
		*word |= mask
		seq, n = seq+k, n-k
	}
	return fresh
}

// clear takes [from, to) out of the set.
func (r *bitRing) clear(from, to uint64) {
	for from < to {
		word, bit := r.at(from)
		k := min(64-bit, to-from)
		*word &^= ^uint64(0) >> (64 - k) << bit
		from += k
	}
}

// pass takes the unbroken run of members from seq on out of the set, up to limit
// at most, and returns the first number behind it.
func (r *bitRing) pass(seq, limit uint64) uint64 {
	for seq < limit {
		word, bit := r.at(seq)
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
