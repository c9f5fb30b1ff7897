package selector

import (
	"bytes"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnquoted appends the decoded s, the inside of a well-formed JSON string.
func appendUnquoted(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		r, size := unquoteRune(s[i:])
		dst = utf8.AppendRune(dst, r)
		s = s[i+size:]
	}
}

// nameIs reports whether s, the inside of a well-formed JSON string, decodes to name.
func nameIs(s []byte, escaped bool, name []byte) bool {
	if !escaped {
		return bytes.Equal(s, name)
	}
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return bytes.Equal(s, name)
		}
		if !bytes.HasPrefix(name, s[:i]) {
			return false
		}
		var utf [utf8.UTFMax]byte
		r, size := unquoteRune(s[i:])
		n := utf8.EncodeRune(utf[:], r)
		if !bytes.HasPrefix(name[i:], utf[:n]) {
			return false
		}
		s, name = s[i+size:], name[i+n:]
	}
}

// unquoteRune decodes the well-formed JSON escape, or surrogate pair of two, at the beginning of s.
// size is the length of its text.
func unquoteRune(s []byte) (r rune, size int) {
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return rune(s[1]), 2
	}
	r = hex4(s[2:])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(s[8:])); pair != unicode.ReplacementChar {
			return pair, 12
		}
	}
	return unicode.ReplacementChar, 6
}

// hex4 returns the number in the first four bytes of s, in hexadecimal digits; -1 if these are
// others.
func hex4(s []byte) rune {
	if len(s) < 4 {
		return -1
	}
	var r rune
	for _, c := range s[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
