package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// utf8Check checks a text that arrives in pieces. The zero value is the state before the first.
type utf8Check struct {
	missing uint8 // bytes of the sequence at the end of the last piece
	lo, hi  uint8 // bounds of the next of them
}

// add checks the next piece. It returns false as soon as the text cannot become valid.
func (c *utf8Check) add(p []byte) bool {
	p, ok := c.resume(p)
	if !ok || len(p) == 0 {
		return ok
	}
	cut := len(p) - unfinished(p)
	if !validText(p[:cut]) {
		return false
	}
	if cut < len(p) {
		c.begin(p[cut])
		_, ok = c.resume(p[cut+1:])
	}
	return ok
}

// whole reports whether the text may end here.
func (c *utf8Check) whole() bool { return c.missing == 0 }

// resume checks the missing bytes at the beginning of p.
func (c *utf8Check) resume(p []byte) (rest []byte, ok bool) {
	for c.missing > 0 && len(p) > 0 {
		if p[0] < c.lo || p[0] > c.hi {
			return nil, false
		}
		c.missing--
		c.lo, c.hi = 0x80, 0xbf
		p = p[1:]
	}
	return p, true
}

// begin begins a sequence of more than one byte (RFC 3629 4).
func (c *utf8Check) begin(lead byte) {
	c.missing, c.lo, c.hi = uint8(sequence(lead)-1), 0x80, 0xbf
	switch lead {
	case 0xe0:
		c.lo = 0xa0 // below: overlong
	case 0xed:
		c.hi = 0x9f // above: surrogates
	case 0xf0:
		c.lo = 0x90 // below: overlong
	case 0xf4:
		c.hi = 0x8f // above: beyond U+10FFFF
	}
}

// sequence returns the length of the sequence that lead begins; 1 if it begins none.
func sequence(lead byte) int {
	switch {
	case lead >= 0xf0 && lead <= 0xf4:
		return 4
	case lead >= 0xe0 && lead <= 0xef:
		return 3
	case lead >= 0xc2 && lead <= 0xdf:
		return 2
	}
	return 1
}

// unfinished returns how many bytes at the end of p belong to an incomplete sequence.
func unfinished(p []byte) int {
	for n := 1; n <= min(3, len(p)); n++ {
		switch b := p[len(p)-n]; {
		case b < 0x80:
			return 0
		case b >= 0xc0:
			if sequence(b) > n {
				return n
			}
			return 0
		}
	}
	return 0
}

// validText is utf8.Valid, but faster for ASCII.
func validText(p []byte) bool {
	const high = 0x8080808080808080
	b := p
	for ; len(b) >= 32; b = b[32:] {
		w := binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[8:]) |
			binary.LittleEndian.Uint64(b[16:]) | binary.LittleEndian.Uint64(b[24:])
		if w&high != 0 {
			return utf8.Valid(b)
		}
	}
	if len(p) < 8 {
		return utf8.Valid(b)
	}
	// The last word may overlap with checked bytes.
	w := binary.LittleEndian.Uint64(p[len(p)-8:])
	for t := b; len(t) >= 8; t = t[8:] {
		w |= binary.LittleEndian.Uint64(t)
	}
	return w&high == 0 || utf8.Valid(b)
}
