package selector

import (
	"encoding/binary"
	"math/bits"

	"feedgate/worker"
)

// The hash of a key folds its little-endian 8-byte words, two at a time and the last two padded with
// zeros, and its length into a state, by a 64x64 to 128 bit multiplication whose halves are
// xored (the mixing step of wyhash and of Go's fallback memory hash). It spreads keys over a few
// workers; it does not resist a feed that chooses keys to overload one.
const (
	hashSeed = 0xa0761d6478bd642f
	hashMul  = 0xe7037ed1a0b428db
)

func hashMix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func hashBytes(b []byte) uint64 {
	state, n := uint64(hashSeed), len(b)
	for len(b) >= 16 {
		state = hashMix(state^binary.LittleEndian.Uint64(b), hashMul^binary.LittleEndian.Uint64(b[8:]))
		b = b[16:]
	}
	var low, high uint64
	if len(b) >= 8 {
		low, high = binary.LittleEndian.Uint64(b), paddedWord(b[8:])
	} else {
		low = paddedWord(b)
	}
	return hashEnd(state, low, high, n)
}

// hashEnd folds the last two words, of up to 15 bytes, and the length of all. One multiplication would not
// do: keys that differ in one digit would have nearly the same upper bits.
func hashEnd(state, low, high uint64, n int) uint64 {
	return hashMix(hashMix(state^low, hashMul^high)^uint64(n), hashMul)
}

// paddedWord returns up to 7 bytes as a little-endian word. Bytes that are read twice are at the same
// place in it.
func paddedWord(b []byte) uint64 {
	switch n := len(b); {
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*(n-4))
	case n > 0:
		return uint64(b[0]) | uint64(b[n/2])<<(8*(n/2)) | uint64(b[n-1])<<(8*(n-1))
	}
	return 0
}

// hasher computes hashBytes one byte at a time.
type hasher struct {
	state     uint64 // hashSeed at first
	low, high uint64 // the incomplete words
	n         uint64 // bytes added
}

func (h *hasher) add(c byte) {
	if at := h.n % 16; at < 8 {
		h.low |= uint64(c) << (8 * at)
	} else {
		h.high |= uint64(c) << (8 * (at - 8))
	}
	if h.n++; h.n%16 == 0 {
		h.fold()
		h.low, h.high = 0, 0
	}
}

func (h *hasher) fold() { h.state = hashMix(h.state^h.low, hashMul^h.high) }

func (h *hasher) sum() uint64 {
	return hashEnd(h.state, h.low, h.high, int(h.n))
}

// Keyer hashes the keys of messages. One goroutine at a time may use it.
type Keyer struct {
	selector *Selector
	scratch  []byte
}

// NewKeyer returns a Keyer for the keys that s picks.
func NewKeyer(s *Selector) *Keyer { return &Keyer{selector: s} }

// Hash is [Selector.Hash] for a message with metadata. It allocates only for a value longer than
// all before.
func (k *Keyer) Hash(m worker.Message) uint64 {
	if !k.selector.NeedsMeta() {
		return k.selector.Hash(m.Received())
	}
	k.scratch = m.AppendMeta(k.scratch[:0], k.selector.name)
	return hashBytes(k.scratch)
}
