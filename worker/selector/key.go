package selector

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// Keys are picked from each message by the one goroutine that distributes them, so a JSON text is not
// checked as far as Find checks it. What a selector picks from a well-formed text is the same.

// key returns the key of msg; nil if it has none. escaped: it is the inside of a JSON string with
// escapes. From a JSON text that is not well-formed, the result is either the value of a member, as far
// as it can be recognized, or nil.
func (s *Selector) key(msg []byte) (part []byte, escaped bool) {
	if s.member.quoted == nil {
		return s.find(msg)
	}
	return jsonScanner(msg).lastMember(&s.member)
}

// memberName is a name to search for in JSON texts.
type memberName struct {
	name   []byte
	quoted []byte // in quotes; nil: see newMemberName
	rare   int    // index in quoted of the byte that is probably the rarest in a text

	word, mask uint64 // its first bytes, up to 7; which bytes of a word these are
}

// newMemberName prepares the search for a name, unless it cannot be in a text without an escape, or can be
// between two strings, in the quotes that end one and begin the other, such as the comma in ["a","b"].
func newMemberName(name []byte) memberName {
	m := memberName{name: name}
	if len(name) > 0 && bytes.IndexByte([]byte(",:]} "), name[0]) >= 0 &&
		bytes.IndexByte([]byte(",:[{ "), name[len(name)-1]) >= 0 {
		return m
	}
	for _, c := range name {
		if c < ' ' || c == '"' || c == '\\' {
			return m
		}
	}
	m.quoted = append(append([]byte{'"'}, name...), '"')
	m.word = paddedWord(m.quoted[:min(len(m.quoted), 7)])
	m.mask = ^uint64(0) >> (64 - 8*min(len(m.quoted), 7))
	const common = `"etaoinsrhldcumfpgwybvkxjqz0123456789` // the most frequent first
	for i, c := range m.quoted {
		if rank(common, c) > rank(common, m.quoted[m.rare]) {
			m.rare = i
		}
	}
	return m
}

// rank returns the index of c in common, or its length for a rarer byte.
func rank(common string, c byte) int {
	if i := strings.IndexByte(common, c); i >= 0 {
		return i
	}
	return len(common)
}

// index returns the index of the name in quotes; -1: it is not there.
func (m *memberName) index(s []byte) int {
	for from := m.rare; from < len(s); {
		n := bytes.IndexByte(s[from:], m.quoted[m.rare])
		if n < 0 {
			return -1
		}
		if at := from + n - m.rare; m.isAt(s[at:]) {
			return at
		}
		from += n + 1
	}
	return -1
}

// isAt reports whether s begins with the name in quotes.
func (m *memberName) isAt(s []byte) bool {
	if len(s) >= 8 && (binary.LittleEndian.Uint64(s)^m.word)&m.mask != 0 {
		return false
	}
	return len(s) >= 8 && len(m.quoted) <= 7 || bytes.HasPrefix(s, m.quoted)
}

// lastMember returns the value of the last member called m of the object that s begins with, without the
// quotes of a string; nil if there is none.
func (s jsonScanner) lastMember(m *memberName) (value []byte, escaped bool) {
	i := s.begin()
	if s.at(i) != '{' {
		return nil, false
	}
	if at := m.index(s[i:]); at < 0 {
		if bytes.IndexByte(s, '\\') < 0 {
			return nil, false
		}
	} else if value, certain := s.memberAt(i, i+at, m); certain {
		return value, false
	}
	for i, more := s.first(i, '}'); more; i, more = s.next(i, '}') {
		from, nameEscaped := i, false
		if i, nameEscaped = s.string(i); i < 0 {
			break
		}
		v, esc, end := s.memberValue(i)
		if end < 0 {
			break
		}
		if nameIs(s[from+1:i-1], nameEscaped, m.name) {
			value, escaped = v, esc
		}
		i = end
	}
	return value, escaped
}

// memberAt is lastMember for the object that begins at open and contains the quoted name at a position.
// It does not look at its other members; certain is false if that would be needed.
//
// A quote without a backslash before it begins or ends a string, and if the name follows it, it begins
// one. So before a colon, that is the name of a member, and it is one of the outermost object if no other
// bracket is before it. It is the last one unless the rest of s contains the quoted name or a backslash,
// with which the name could be written otherwise.
func (s jsonScanner) memberAt(open, at int, m *memberName) (value []byte, certain bool) {
	i := s.space(at + len(m.quoted))
	if s.at(i) != ':' || s[at-1] == '\\' || hasOpening(s[open+1:at]) {
		return nil, false
	}
	i = s.space(i + 1)
	rest := s[i:]
	if bytes.IndexByte(rest, '\\') >= 0 {
		return nil, false
	}
	end := 0
	if s.at(i) == '"' {
		value = rest[1:]
		if end = bytes.IndexByte(value, '"'); end < 0 {
			return nil, false
		}
		value = value[:end]
		end += 2
	} else {
		next, _ := s.skipValue(i)
		if next < 0 {
			return nil, false
		}
		end = next - i
		value = rest[:end]
	}
	return value, m.index(rest[end:]) < 0
}

// hasOpening reports whether b contains { or [. These differ in one bit.
func hasOpening(b []byte) bool {
	n := len(b)
	if n < 8 {
		return openings(paddedWord(b)) != 0
	}
	for i := 0; i < n-8; i += 8 {
		if openings(binary.LittleEndian.Uint64(b[i:])) != 0 {
			return true
		}
	}
	return openings(binary.LittleEndian.Uint64(b[n-8:])) != 0
}

// openings returns a bit that is set in the first byte of w that is { or [, or 0 if none is.
func openings(w uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	w = (w | ones*('{'^'[')) ^ ones*'{'
	return (w - ones) &^ w & highs
}

// memberValue returns the value of a member, without the quotes of a string, from the end of its name,
// and the position after it; -1 if there is none.
func (s jsonScanner) memberValue(i int) (value []byte, escaped bool, end int) {
	if i = s.space(i); s.at(i) != ':' {
		return nil, false, -1
	}
	i = s.space(i + 1)
	if end, escaped = s.skipValue(i); end < 0 {
		return nil, false, -1
	}
	if s[i] == '"' {
		return s[i+1 : end-1], escaped, end
	}
	return s[i:end], escaped, end
}

// skipValue is element for the value of a member, but does not check numbers and literals.
func (s jsonScanner) skipValue(i int) (next int, escaped bool) {
	switch s.at(i) {
	case '"':
		return s.string(i)
	case '{', '[':
		return s.container(i, 2), false
	}
	from := i
	for i < len(s) && inScalar[s[i]] {
		i++
	}
	if i == from {
		return -1, false
	}
	return i, false
}

// inScalar has the bytes of numbers and literals, and all others that do not end one.
var inScalar = func() (in [256]bool) {
	for c := range in {
		in[c] = c > ' '
	}
	for _, c := range []byte(`,:{}[]"`) {
		in[c] = false
	}
	return in
}()

// HashAll sets hashes[i] to the Hash of the i-th message: spans[i] is its offset in data << 32 | its length.
func (s *Selector) HashAll(hashes []uint64, data []byte, spans []uint64) {
	hashes = hashes[:len(spans)]
	if s.kind == selectBytes && s.length <= 8 {
		s.hashShort(hashes, data, spans)
		return
	}
	for i, at := range spans {
		off, end := at>>32, at>>32+at&(1<<32-1)
		msg := data[off:end]
		if s.member.quoted == nil {
			hashes[i] = s.Hash(msg)
			continue
		}
		value, escaped := jsonScanner(msg).lastMember(&s.member)
		hashes[i] = hashPart(value, escaped)
	}
}

// hashShort is HashAll for keys of up to 8 bytes: it reads them as one word.
func (s *Selector) hashShort(hashes []uint64, data []byte, spans []uint64) {
	first, mask := uint64(s.first), ^uint64(0)>>(64-8*s.length)
	last, hash := uint64(0), hashEnd(hashSeed, 0, 0, s.length) // of the key before
	for i, at := range spans {
		off, n := at>>32, at&(1<<32-1)
		if n < first+8 {
			hashes[i] = s.Hash(data[off : off+n])
			continue
		}
		if word := binary.LittleEndian.Uint64(data[off+first:]) & mask; word != last {
			last, hash = word, hashEnd(hashSeed, word, 0, s.length)
		}
		hashes[i] = hash
	}
}

// Hash returns a hash of the part of msg that the selector picks. It is the same in every process, and the
// same for all messages in which the selector finds nothing. Of a JSON text that is not well-formed, in
// which Find finds nothing, it may be the hash of some member. Hash does not allocate.
func (s *Selector) Hash(msg []byte) uint64 {
	return hashPart(s.key(msg))
}

// hashPart hashes a part of a message; escaped: it is the inside of a JSON string with escapes.
func hashPart(v []byte, escaped bool) uint64 {
	if !escaped {
		return hashBytes(v)
	}
	h := hasher{state: hashSeed}
	for len(v) > 0 {
		if v[0] != '\\' {
			h.add(v[0])
			v = v[1:]
			continue
		}
		var utf [utf8.UTFMax]byte
		r, size := unquoteRune(v)
		for _, c := range utf[:utf8.EncodeRune(utf[:], r)] {
			h.add(c)
		}
		v = v[size:]
	}
	return h.sum()
}
