package selector

import (
	"bytes"
	"unicode/utf8"
)

// Keys are picked from each message by the one goroutine that distributes them, so a JSON text is not
// checked as far as Find checks it. What a selector picks from a well-formed text is the same.

// key returns the key of msg; nil if it has none. escaped: it is the inside of a JSON string with
// escapes. From a JSON text that is not well-formed, the result is either the value of a member, as far
// as it can be recognized, or nil.
func (s *Selector) key(msg []byte) (part []byte, escaped bool) {
	if s.quoted == nil {
		return s.find(msg)
	}
	return jsonScanner(msg).lastMember(s.path[0].name, s.quoted)
}

// quoteName returns a member's name in quotes, as it is in a text that escapes nothing needlessly; nil
// if the name cannot be there without an escape.
func quoteName(name []byte) []byte {
	for _, c := range name {
		if c < ' ' || c == '"' || c == '\\' {
			return nil
		}
	}
	return append(append([]byte{'"'}, name...), '"')
}

// lastMember returns the value of the last member called name of the object that s begins with, without
// the quotes of a string; nil if there is none. It stops at the first one if the rest of s contains
// neither the quoted name nor an escape, with which the name could be written otherwise.
func (s jsonScanner) lastMember(name, quoted []byte) (value []byte, escaped bool) {
	i := s.begin()
	if s.at(i) != '{' {
		return nil, false
	}
	i, more := s.first(i, '}')
	for i = s.ahead(i, quoted); more && i >= 0; {
		is := bytes.HasPrefix(s[i:], quoted)
		if is {
			i += len(quoted)
		} else {
			from, nameEscaped := i, false
			i, nameEscaped = s.string(i)
			is = i >= 0 && nameEscaped && nameIs(s[from+1:i-1], true, name)
		}
		if i = s.space(i); s.at(i) != ':' {
			break
		}
		from, valueEscaped := s.space(i+1), false
		if i, valueEscaped = s.skipValue(from); i < 0 {
			break
		}
		if is {
			value, escaped = s[from:i], valueEscaped
			if value[0] == '"' {
				value = value[1 : len(value)-1]
			}
			if rest := s[i:]; bytes.IndexByte(rest, '\\') < 0 && indexQuoted(rest, quoted) < 0 {
				break
			}
		}
		i, more = s.next(i, '}')
	}
	return value, escaped
}

// indexQuoted is bytes.Index for a quoted name. It does not search for the first quote, because a JSON
// text is full of them.
func indexQuoted(b, quoted []byte) int {
	for from := 0; ; {
		n := bytes.Index(b[from:], quoted[1:])
		if n < 0 {
			return -1
		}
		if at := from + n; at > 0 && b[at-1] == '"' {
			return at - 1
		}
		from += n + 1
	}
}

// ahead returns the position of a member at or after i, the first member, before which there is none
// with the quoted name; -1 if there is none at all. It passes over members only if all of them are
// strings, numbers and literals without escapes: then no quoted name can be inside a value.
func (s jsonScanner) ahead(i int, quoted []byte) int {
	n := indexQuoted(s[i:], quoted)
	if n < 0 {
		if bytes.IndexByte(s[i:], '\\') < 0 {
			return -1
		}
		return i
	}
	passed, colon := s[i:i+n], s.space(i+n+len(quoted))
	if s.at(colon) != ':' || bytes.IndexByte(passed, '\\') >= 0 || bytes.IndexByte(passed, '{') >= 0 ||
		bytes.IndexByte(passed, '[') >= 0 || bytes.Count(passed, []byte{'"'})%2 != 0 {
		return i
	}
	return i + n
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

// Hash returns a hash of the part of msg that the selector picks. It is the same in every process,
// and the same for all messages in which the selector finds nothing. A part of a JSON text is hashed
// even if the text turns out not to be well-formed after it. Hash does not allocate.
func (s *Selector) Hash(msg []byte) uint64 {
	v, escaped := s.key(msg)
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
