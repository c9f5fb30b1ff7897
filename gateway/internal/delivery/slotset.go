package delivery

import "feedgate/gateway/internal/bitrun"

// slotSet is slots of the window as bits: bit i of words[k] is slot base+64k+i. base is a multiple of
// 64, so the words are those of a bitmap.
type slotSet struct {
	base  uint64
	words []uint64
}

// runs yields the consecutive slots of each word.
func (s slotSet) runs(yield func(slot uint64, n int) bool) {
	for from, n := range bitrun.All(s.words) {
		if !yield(s.base+uint64(from), n) {
			return
		}
	}
}

// each yields the words that are not 0, with their first slots.
func (s slotSet) each(yield func(base, word uint64) bool) {
	for k, w := range s.words {
		if w != 0 && !yield(s.base+uint64(64*k), w) {
			return
		}
	}
}
