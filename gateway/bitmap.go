package gateway

import "math/bits"

// bitmap is a ring of bits indexed by place & mask; its size is a power of two
// of at least 64.
type bitmap struct {
	words []uint64
	mask  uint64 // of bits
}

func newBitmap(size uint64) bitmap {
	return bitmap{make([]uint64, size/64), size - 1}
}

func (b *bitmap) has(place uint64) bool {
	at := place & b.mask
	return b.words[at/64]>>(at%64)&1 != 0
}

func (b *bitmap) set(place, n uint64) {
	for n > 0 {
		at, k, m := b.chunk(place, n)
		b.words[at] |= m
		place += k
		n -= k
	}
}

func (b *bitmap) clear(place, n uint64) {
	for n > 0 {
		at, k, m := b.chunk(place, n)
		b.words[at] &^= m
		place += k
		n -= k
	}
}

// chunk is the word that place is in, how many of n bits lie in it, and the mask
// of those.
func (b *bitmap) chunk(place, n uint64) (word, k, mask uint64) {
	at := place & b.mask
	k = min(n, 64-at%64)
	return at / 64, k, ^uint64(0) >> (64 - k) << (at % 64)
}

// run is how many of the n bits from place on equal the first of them.
func (b *bitmap) run(place, n uint64) (length uint64, set bool) {
	set = b.has(place)
	for length < n {
		at := (place + length) & b.mask
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
