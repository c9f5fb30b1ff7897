package delivery

import (
	"math/bits"

	"feedgate/gateway/internal/bitrun"
)

// bitmap is a ring of bits, indexed by slot & mask. Its size is a power of two, at least 64.
type bitmap struct {
	words []uint64
	mask  uint64 // of bits
}

func newBitmap(size uint64) bitmap {
	return bitmap{make([]uint64, size/64), size - 1}
}

func (b *bitmap) has(slot uint64) bool {
	at := slot & b.mask
	return b.words[at/64]>>(at%64)&1 != 0
}

// word returns the word that holds slot and the 63 after it; slot is a multiple of 64.
func (b *bitmap) word(slot uint64) *uint64 { return &b.words[slot&b.mask/64] }

func (b *bitmap) set(slot, n uint64) {
	for n > 0 {
		at, k, m := b.chunk(slot, n)
		b.words[at] |= m
		slot += k
		n -= k
	}
}

func (b *bitmap) clear(slot, n uint64) {
	for n > 0 {
		at, k, m := b.chunk(slot, n)
		b.words[at] &^= m
		slot += k
		n -= k
	}
}

// chunk returns the index of the word that holds slot, how many of the n bits are in it, and a mask
// of them.
func (b *bitmap) chunk(slot, n uint64) (word, k, mask uint64) {
	at := slot & b.mask
	k = min(n, 64-at%64)
	return at / 64, k, bitrun.Mask(int(at%64), int(k))
}

// prefix returns how many of the n bits starting at slot equal the first one, and its value.
func (b *bitmap) prefix(slot, n uint64) (length uint64, set bool) {
	set = b.has(slot)
	for length < n {
		at := (slot + length) & b.mask
		w := b.words[at/64] >> (at % 64)
		if set {
			w = ^w
		}
		k := min(uint64(bits.TrailingZeros64(w)), 64-at%64)
		length += k
		if k < 64-at%64 {
			break
		}
	}
	return min(length, n), set
}
