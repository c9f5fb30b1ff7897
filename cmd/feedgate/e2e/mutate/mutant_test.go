package mutate

import (
	"encoding/binary"
	"math/rand/v2"
)

// conversation is the server's side of one connection.
type conversation struct {
	b       []byte
	lengths []length
	keys    []string // of the messages that must be acked, if not mutated
}

// length is the position of a length field.
type length struct {
	at, size int
	little   bool
}

// put appends a length field with the value n.
func (t *conversation) put(n, size int, little bool) {
	t.lengths = append(t.lengths, length{len(t.b), size, little})
	t.b = append(t.b, make([]byte, size)...)
	t.lengths[len(t.lengths)-1].set(t.b, uint64(n))
}

func (l length) set(b []byte, n uint64) {
	var field [8]byte
	if l.little {
		binary.LittleEndian.PutUint64(field[:], n)
		copy(b[l.at:], field[:l.size])
		return
	}
	binary.BigEndian.PutUint64(field[:], n)
	copy(b[l.at:], field[8-l.size:])
}

func (l length) get(b []byte) (n uint64) {
	for i := range l.size {
		shift := 8 * i
		if !l.little {
			shift = 8 * (l.size - 1 - i)
		}
		n |= uint64(b[l.at+i]) << shift
	}
	return n
}

// extremes are lengths near the limits of some protocol.
var extremes = []uint64{0, 1, 3, 4, 11, 12, 125, 126, 127, maxMessage, maxMessage + 1, 1<<16 - 1, 1 << 16, 1<<24 - 1,
	64 << 20, 64<<20 + 1, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1 << 63, 1<<64 - 1}

// tokens are byte sequences with a meaning in some protocol.
var tokens = []string{"\n", "\r\n", "\r\n\r\n", "\x00", "\xff\xff\xff\xff", "{", "}", "[", `"`, `\u`, `\ud800`, ":", ",", "-1", "1e999",
	"18446744073709551616", "\xc3\x28", "\xed\xa0\x80", "null", "%", "HTTP/1.1 ", "Content-Length: ", "E_INVALID", "\x88\x02", "\x81\x7f"}

// mutate applies one to eight mutations to t. One of them replaces a part of t by a part of other, another
// conversation.
func (t *conversation) mutate(d *rand.Rand, other []byte) {
	for n := 1; n <= 8 && (n == 1 || d.IntN(2) == 0); n++ {
		if n == 1 && len(t.lengths) > 0 && d.IntN(4) == 0 { // while the positions are still valid
			l := t.lengths[d.IntN(len(t.lengths))]
			value := extremes[d.IntN(len(extremes))]
			if d.IntN(3) == 0 {
				value = l.get(t.b) + uint64(d.IntN(5)) - 2
			}
			l.set(t.b, value)
			continue
		}
		t.b = mutated(d, t.b, other)
	}
	t.lengths = nil
}

// mutated applies one mutation to b.
func mutated(d *rand.Rand, b, other []byte) []byte {
	if len(b) == 0 {
		return append(b, tokens[d.IntN(len(tokens))]...)
	}
	at := d.IntN(len(b))
	if d.IntN(5) == 0 {
		at = d.IntN(min(len(b), 64)) // in the login, or in an HTTP head
	}
	end := at + 1 + d.IntN(min(len(b)-at, 1<<d.IntN(9)))
	switch d.IntN(12) {
	case 0:
		b[at] ^= 1 << d.IntN(8)
	case 1:
		b[at] = byte(d.Uint32())
	case 2:
		b[at] = []byte{0, 1, 0x7f, 0x80, 0xff, '\n', '"', 0x88}[d.IntN(8)]
	case 3:
		b = replace(b, at, at, noise(d, 1+d.IntN(16)))
	case 4:
		b = replace(b, at, at, []byte(tokens[d.IntN(len(tokens))]))
	case 5:
		b = replace(b, at, end, nil)
	case 6:
		b = replace(b, end, end, append([]byte(nil), b[at:end]...))
	case 7:
		b = b[:at]
	case 8:
		if len(other) > 0 {
			b = replace(b, at, len(b), other[d.IntN(len(other)):])
		}
	case 9:
		copy(b[at:end], noise(d, end-at))
	case 10:
		copy(b[d.IntN(len(b)):], append([]byte(nil), b[at:end]...))
	case 11:
		run := make([]byte, 1+d.IntN(1<<(4+d.IntN(13))))
		for i := range run {
			run[i] = b[at]
		}
		b = replace(b, at, at, run)
	}
	return b
}

// replace returns b with b[from:to] replaced by what.
func replace(b []byte, from, to int, what []byte) []byte {
	return append(append(append(make([]byte, 0, len(b)+len(what)), b[:from]...), what...), b[to:]...)
}

func noise(d *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.Uint32())
	}
	return b
}
