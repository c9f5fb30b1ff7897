package ws

import (
	"fmt"
	"testing"
	"unicode/utf8"
)

// mayBegin reports whether a valid text may begin with p.
func mayBegin(p []byte) bool {
	for n := range min(4, len(p)+1) {
		head, tail := p[:len(p)-n], p[len(p)-n:]
		if utf8.Valid(head) && (n == 0 || !utf8.FullRune(tail)) {
			return true
		}
	}
	return false
}

// TestEverySequence compares the check with the standard library: all sequences of up to four
// bytes, one on each side of each border of RFC 3629 4, byte by byte and at once.
func TestEverySequence(t *testing.T) {
	borders := []byte{0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
		0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff}
	var try func(prefix []byte, state utf8Check)
	try = func(prefix []byte, state utf8Check) {
		for _, b := range borders {
			p, next := append(prefix, b), state
			ok := next.add(p[len(prefix):])
			var once utf8Check
			if want := mayBegin(p); ok != want || once.add(p) != want {
				t.Fatalf("% x: byte by byte %v, want %v", p, ok, want)
			}
			if ok && (next.whole() != utf8.Valid(p) || once.whole() != next.whole()) {
				t.Fatalf("% x: whole %v", p, next.whole())
			}
			if validText(p) != utf8.Valid(p) {
				t.Fatalf("% x: validText", p)
			}
			if ok && len(p) < 4 {
				try(p, next)
			}
		}
	}
	try(make([]byte, 0, 4), utf8Check{})
}

// TestValidTextOfAnyLength tests an invalid byte at each position of texts of each length.
func TestValidTextOfAnyLength(t *testing.T) {
	for n := range 140 {
		p := []byte(ascii(n))
		if !validText(p) {
			t.Errorf("%d bytes of ASCII", n)
		}
		for i := range p {
			old := p[i]
			p[i] = 0xff
			if validText(p) {
				t.Errorf("%d bytes with a fault in byte %d", n, i)
			}
			p[i] = old
			if i > 0 {
				before := p[i-1]
				p[i-1], p[i] = 0xc3, 0xa9
				if !validText(p) {
					t.Errorf("%d bytes with a sequence at byte %d", n, i-1)
				}
				p[i-1], p[i] = before, old
			}
		}
	}
}

// samples are texts to be cut at every byte.
var samples = []string{
	"a\u00e9b", "\u20ac", "\U0001f600\u00e9", greek, "\x00\u007f\u0080\u07ff\u0800\uffff\U00010000\U0010ffff",
	"ab\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xf0\x8f\xbf\xbf", "\xe2\x82", "\xf0\x9f\x98", "\u20ac\x80",
}

// TestTextAtEverySplit sends each sample in two fragments, cut at each byte, with a ping
// between.
func TestTextAtEverySplit(t *testing.T) {
	p := mustNew(t, Config{})
	for _, s := range samples {
		for cut := range len(s) + 1 {
			t.Run(fmt.Sprintf("%+q at %d", s, cut), func(t *testing.T) {
				want := pongs([]string{"p"}, asText(s), asText("behind"))
				switch {
				case !mayBegin([]byte(s[:cut])):
					want = bad1007()
				case !utf8.ValidString(s):
					want = bad1007().and("p")
				}
				check(t, p, cat(textOn(s[:cut]), ping("p"), last(s[cut:]), text("behind")), want)
			})
		}
	}
}
