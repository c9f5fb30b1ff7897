package bitrun

import (
	"testing"

	"pgregory.net/rapid"
)

// TestAll: the runs are the set bits, in order, and maximal within a word.
func TestAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1 << 63, ^uint64(0)})), 0, 4).Draw(t, "words")
		got, end := make([]uint64, len(words)), -1
		for from, n := range All(words) {
			if n < 1 || from/64 != (from+n-1)/64 || from <= end && from%64 != 0 {
				t.Fatalf("%d bits from %d on, after %d", n, from, end)
			}
			got[from/64] |= Mask(from%64, n)
			end = from + n
		}
		for i := range words {
			if got[i] != words[i] {
				t.Fatalf("word %d is %x, want %x", i, got[i], words[i])
			}
		}
	})
}
