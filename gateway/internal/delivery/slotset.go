package delivery

import "math/bits"

// slotSet is slots of the window as bits: bit i of words[k] is slot base+64k+i. base is a multiple of
// 64, so the words are those of a bitmap.
type slotSet struct {
	base  uint64
	words []uint64
}

// first returns the distance of the lowest slot from base.
func firstBit(words []uint64) uint64 {
	for k, w := range words {
		if w != 0 {
			return uint64(64*k + bits.TrailingZeros64(w))
		}
	}
	return 0
}

// count returns the number of slots.
func (s slotSet) count() (n int) {
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// runs yields the consecutive slots of each word.
func (s slotSet) runs(yield func(slot uint64, n int) bool) {
	for k, w := range s.words {
		for w != 0 {
			from, n := firstRun(w)
			if !yield(s.base+uint64(64*k)+from, n) {
				return
			}
			w &^= runMask(from, n)
		}
	}
}

// firstRun returns the lowest bits of w that are consecutive: where they begin, and how many they are.
// w is not 0.
func firstRun(w uint64) (from uint64, n int) {
	from = uint64(bits.TrailingZeros64(w))
	return from, bits.TrailingZeros64(^(w >> from))
}

// runMask returns n bits, at least 1, from a bit on.
func runMask(from uint64, n int) uint64 { return ^uint64(0) >> (64 - n) << from }
