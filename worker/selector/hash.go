package selector

import (
	"encoding/binary"
	"math/bits"

	"feedgate/worker"
)

// The hash of a key folds its little-endian 8-byte words, the last one padded with zeros, and then
// its length into a state, by a 64x64 to 128 bit multiplication whose halves are xored (the mixing
// step of wyhash and of Go's fallback memory hash). It spreads keys over a few workers; it does not
// resist a feed that chooses keys to overload one.
const (
	hashSeed = 0xa0761d6478bd642f
	hashMul  = 0xe7037ed1a0b428db
)

func hashMix(state, word uint64) uint64 {
	hi, lo := bits.Mul64(state^word, hashMul)
	return hi ^ lo
}

func hashBytes(b []byte) uint64 {
	state, n := uint64(hashSeed), len(b)
	for len(b) >= 8 {
		state = hashMix(state, binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	var last uint64
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	return hashMix(hashMix(state, last), uint64(n))
}

// hasher computes hashBytes one byte at a time.
type hasher struct {
	state uint64
	word  uint64 // bytes of the incomplete word
	n     uint64 // bytes added
}

func (h *hasher) add(c byte) {
	h.word |= uint64(c) << (8 * (h.n % 8))
	h.n++
	if h.n%8 == 0 {
		h.state = hashMix(h.state, h.word)
		h.word = 0
	}
}

func (h *hasher) sum() uint64 { return hashMix(hashMix(h.state, h.word), h.n) }

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
