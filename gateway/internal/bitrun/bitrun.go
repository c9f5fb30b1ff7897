// Package bitrun has the arithmetic of consecutive bits in words.
package bitrun

import "math/bits"

// Mask returns a word with n bits set, starting at from. n is at least 1, and from+n at most 64.
func Mask(from, n int) uint64 { return ^uint64(0) >> (64 - n) << from }

// First returns the lowest consecutive bits of w, which is not 0: where they start and how many they are.
func First(w uint64) (from, n int) {
	from = bits.TrailingZeros64(w)
	return from, bits.TrailingZeros64(^(w >> from))
}

// All yields the consecutive bits of each word: their distance from bit 0 of the first word, and how many
// they are.
func All(words []uint64) func(yield func(from, n int) bool) {
	return func(yield func(from, n int) bool) {
		for k, w := range words {
			for w != 0 {
				from, n := First(w)
				if !yield(64*k+from, n) {
					return
				}
				w &^= Mask(from, n)
			}
		}
	}
}
