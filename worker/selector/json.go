package selector

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// maxJSONDepth is the nesting that encoding/json accepts. It bounds the stack.
const maxJSONDepth = 10000

// bom is U+FEFF, with which a text may begin (RFC 8259, section 8.1).
const bom = "\ufeff"

// jsonScanner steps over the elements of a JSON text without building anything.
// A method that steps takes the position where an element begins and returns the
// one behind it; -1 where the text is malformed, or when it was given -1. It takes
// for well-formed what encoding/json does.
type jsonScanner []byte

// jsonMember is where a member of an object lies: the inside of its name and the
// whole of its value.
type jsonMember struct {
	name, nameEnd   int
	value, valueEnd int
	nameEscaped     bool
	valueEscaped    bool // the value is a string with escapes
}

// JSONValue is where the value of a member lies in the text of a JSON object, quotes
// and brackets included. The zero JSONValue stands for none.
type JSONValue struct {
	Start, End int
	Escaped    bool // it is a string with escapes
}

// AppendString appends what v, a string in msg, stands for. Bytes that are not
// UTF-8 stay as they are; an escaped surrogate without its other half becomes
// U+FFFD.
func (v JSONValue) AppendString(dst, msg []byte) []byte {
	inside := msg[v.Start+1 : v.End-1]
	if v.Escaped {
		return appendUnquoted(dst, inside)
	}
	return append(dst, inside...)
}

// FindMembers notes in values[i] the value of the last member of the JSON object msg
// that is called names[i], which is in UTF-8. It goes over msg once, looks at the top
// level only, and allocates nothing. When msg is not one well-formed object, which is
// what encoding/json takes for one, it returns false, and values mean nothing.
func FindMembers(msg []byte, names [][]byte, values []JSONValue) bool {
	clear(values)
	s := jsonScanner(msg)
	i := s.begin()
	if s.at(i) != '{' {
		return false
	}
	i, more := s.first(i, '}')
	for more {
		var m jsonMember
		m, i = s.member(i, 1)
		if i >= 0 {
			for k, name := range names {
				if nameIs(s[m.name:m.nameEnd], m.nameEscaped, name) {
					values[k] = JSONValue{m.value, m.valueEnd, m.valueEscaped}
				}
			}
		}
		i, more = s.next(i, '}')
	}
	return i >= 0 && s.space(i) == len(s)
}

// at is the byte at i; 0, which no element begins with, outside the text.
func (s jsonScanner) at(i int) byte {
	if uint(i) < uint(len(s)) {
		return s[i]
	}
	return 0
}

// begin is where the text's value begins, behind white space and a BOM.
func (s jsonScanner) begin() int {
	return s.space(len(s) - len(bytes.TrimPrefix(s, []byte(bom))))
}

func (s jsonScanner) space(i int) int {
	if i < 0 {
		return -1
	}
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// first steps into the object or array that opens at i and says whether it has an
// element; without one it steps over it.
func (s jsonScanner) first(i int, end byte) (next int, more bool) {
	i = s.space(i + 1)
	if s.at(i) == end {
		return i + 1, false
	}
	return i, true
}

// next steps from behind an element to the next one, or over the end.
func (s jsonScanner) next(i int, end byte) (next int, more bool) {
	i = s.space(i)
	switch s.at(i) {
	case ',':
		return s.space(i + 1), true
	case end:
		return i + 1, false
	}
	return -1, false
}

func (s jsonScanner) member(i, depth int) (m jsonMember, next int) {
	m.name = i + 1
	i, m.nameEscaped = s.string(i)
	m.nameEnd = i - 1
	i = s.space(i)
	if s.at(i) != ':' {
		return m, -1
	}
	m.value = s.space(i + 1)
	m.valueEnd, m.valueEscaped = s.element(m.value, depth)
	return m, m.valueEnd
}

// element steps over a value that stands depth objects and arrays deep.
func (s jsonScanner) element(i, depth int) (next int, escaped bool) {
	switch s.at(i) {
	case '"':
		return s.string(i)
	case '{', '[':
		if depth == maxJSONDepth {
			return -1, false
		}
		return s.container(i, depth+1), false
	case 't':
		return s.literal(i, "true"), false
	case 'f':
		return s.literal(i, "false"), false
	case 'n':
		return s.literal(i, "null"), false
	}
	return s.number(i), false
}

func (s jsonScanner) container(i, depth int) int {
	end, object := byte(']'), s.at(i) == '{'
	if object {
		end = '}'
	}
	i, more := s.first(i, end)
	for more {
		if object {
			_, i = s.member(i, depth)
		} else {
			i, _ = s.element(i, depth)
		}
		i, more = s.next(i, end)
	}
	return i
}

func (s jsonScanner) literal(i int, text string) int {
	if bytes.HasPrefix(s[i:], []byte(text)) {
		return i + len(text)
	}
	return -1
}

func (s jsonScanner) number(i int) int {
	if s.at(i) == '-' {
		i++
	}
	if s.at(i) == '0' {
		i++
	} else {
		i = s.digits(i)
	}
	if s.at(i) == '.' {
		i = s.digits(i + 1)
	}
	if c := s.at(i); c == 'e' || c == 'E' {
		i++
		if c := s.at(i); c == '+' || c == '-' {
			i++
		}
		i = s.digits(i)
	}
	return i
}

// digits steps over one or more digits.
func (s jsonScanner) digits(i int) int {
	from := i
	for c := s.at(i); c >= '0' && c <= '9'; c = s.at(i) {
		i++
	}
	if i == from {
		return -1
	}
	return i
}

// string steps over a string. It looks at eight bytes at a time for a quote, a
// backslash or a control character; of the marks that this leaves the lowest is
// exact ("Bit Twiddling Hacks", determine if a word has a byte less than n).
func (s jsonScanner) string(i int) (next int, escaped bool) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	if s.at(i) != '"' {
		return -1, false
	}
	i++
	for i < len(s) {
		if i+8 <= len(s) {
			w := binary.LittleEndian.Uint64(s[i:])
			quote, slash := w^(ones*'"'), w^(ones*'\\')
			marks := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
			if marks == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(marks) / 8
		}
		switch c := s[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			if i = s.escape(i); i < 0 {
				return -1, false
			}
		case c < ' ':
			return -1, false
		default:
			i++
		}
	}
	return -1, false
}

// escape steps over the escape whose backslash stands at i.
func (s jsonScanner) escape(i int) int {
	switch s.at(i + 1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if hex4(s[i+2:]) >= 0 {
			return i + 6
		}
	}
	return -1
}
