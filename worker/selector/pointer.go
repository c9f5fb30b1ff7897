package selector

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// step is one step from a JSON value to one within it.
type step struct {
	name  []byte // of a member, in UTF-8
	index int    // of an element, if the name is one (RFC 6901, section 4); else -1
}

// parsePath parses the text after json: of a selector, a name or a JSON pointer.
func parsePath(s string) ([]step, error) {
	text, err := parseText("NAME", s)
	if err != nil {
		return nil, err
	}
	if text[0] != '/' {
		return []step{{name: text, index: -1}}, nil
	}
	var path []step
	for _, token := range strings.Split(string(text[1:]), "/") {
		if token, err = unescapePointer(token); err != nil {
			return nil, err
		}
		path = append(path, step{name: []byte(token), index: parseIndex(token)})
	}
	return path, nil
}

// unescapePointer decodes ~0 and ~1 (RFC 6901, section 3).
func unescapePointer(token string) (string, error) {
	for rest := token; ; {
		i := strings.IndexByte(rest, '~')
		if i < 0 {
			return strings.NewReplacer("~0", "~", "~1", "/").Replace(token), nil
		}
		if rest = rest[i+1:]; !strings.HasPrefix(rest, "0") && !strings.HasPrefix(rest, "1") {
			return "", errors.New("in a JSON pointer, ~ is written as ~0 and / as ~1")
		}
	}
}

// parseIndex returns the index of an array element that token is; -1 if it is none.
func parseIndex(token string) int {
	n, err := strconv.ParseUint(token, 10, 31)
	if err != nil || fmt.Sprint(n) != token {
		return -1
	}
	return int(n)
}

// findPath finds the value at the end of path, which must not be empty, in the JSON text msg. It
// does not allocate.
func findPath(msg []byte, path []step) (v JSONValue, ok bool) {
	s := jsonScanner(msg)
	at := s.begin()
	v, end := s.find(at, path[0])
	if end < 0 || s.space(end) != len(s) {
		return v, false
	}
	for _, next := range path[1:] {
		if v.End == 0 {
			return v, false
		}
		v, _ = s.find(v.Start, next)
	}
	return v, v.End > 0
}

// find finds the value to which a step leads from the value at i: of several members with the name,
// the last one. next is the position after the value at i.
func (s jsonScanner) find(i int, to step) (v JSONValue, next int) {
	end := byte(']')
	switch s.at(i) {
	case '{':
		end = '}'
	case '[':
	default:
		next, _ = s.element(i, 0)
		return v, next
	}
	i, more := s.first(i, end)
	for n := 0; more; n++ {
		if end == '}' {
			var m jsonMember
			if m, i = s.member(i, 1); i >= 0 && nameIs(s[m.name:m.nameEnd], m.nameEscaped, to.name) {
				v = JSONValue{m.value, m.valueEnd, m.valueEscaped}
			}
		} else {
			from, escaped := i, false
			if i, escaped = s.element(i, 1); i >= 0 && n == to.index {
				v = JSONValue{from, i, escaped}
			}
		}
		i, more = s.next(i, end)
	}
	return v, i
}

// appendCompact appends a well-formed JSON value without the white space between its
// elements.
func appendCompact(dst, value []byte) []byte {
	quoted, escaped := false, false
	for _, c := range value {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c <= ' ':
			continue
		}
		dst = append(dst, c)
	}
	return dst
}
