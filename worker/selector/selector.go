package selector

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"feedgate/worker"
)

// Selector picks a part of a message, such as its key:
//
//	bytes:OFFSET:LENGTH  LENGTH bytes at OFFSET, from 0; fewer if the message ends before
//	field:N:SEP          the N-th field, from 1, of those separated by SEP
//	json:NAME            the value of the member NAME of a JSON object
//	json:/A/B            the value of the JSON pointer /A/B (RFC 6901)
//	meta:NAME            the value that the protocol reports as NAME
//
// SEP, NAME and the pointer may have the escapes of [Unescape]. A JSON string is decoded; any other
// JSON value is picked as it is in the message. If a name occurs twice in an object, the last one
// wins, as in encoding/json. A message that is not one well-formed JSON text (for NAME, an object)
// has no values; it may begin with a BOM (RFC 8259, section 8.1). Bytes of a JSON string that are
// not UTF-8 stay unchanged; an escaped surrogate without its other half becomes U+FFFD.
//
// The zero Selector picks nothing. A Selector is immutable and may be shared.
type Selector struct {
	kind   selectorKind
	first  int        // bytes: OFFSET; field: N-1
	length int        // bytes: LENGTH
	text   []byte     // field: SEP
	path   []step     // json
	member memberName // json, if path is one name
	name   string     // meta: NAME
}

type selectorKind uint8

const (
	selectBytes selectorKind = iota + 1
	selectField
	selectJSON
	selectMeta
)

// Parse parses the text of a selector. Its error quotes the text and names the part at fault.
func Parse(s string) (Selector, error) {
	kind, rest, _ := strings.Cut(s, ":")
	var sel Selector
	var err error
	switch kind {
	case "bytes":
		sel, err = parseBytesSelector(rest)
	case "field":
		sel, err = parseFieldSelector(rest)
	case "json":
		sel.kind = selectJSON
		if sel.path, err = parsePath(rest); err == nil && len(sel.path) == 1 && sel.path[0].index < 0 {
			sel.member = newMemberName(sel.path[0].name)
		}
	case "meta":
		var name []byte
		sel.kind = selectMeta
		name, err = parseText("NAME", rest)
		sel.name = string(name)
	default:
		err = errors.New("want bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B or meta:NAME")
	}
	if err != nil {
		return Selector{}, fmt.Errorf("selector %q: %w", s, err)
	}
	return sel, nil
}

func parseBytesSelector(s string) (Selector, error) {
	offset, length, _ := strings.Cut(s, ":")
	from, err := parseCount("OFFSET", offset, 0)
	if err != nil {
		return Selector{}, err
	}
	n, err := parseCount("LENGTH", length, 1)
	return Selector{kind: selectBytes, first: from, length: n}, err
}

func parseFieldSelector(s string) (Selector, error) {
	number, text, _ := strings.Cut(s, ":")
	n, err := parseCount("N", number, 1)
	if err != nil {
		return Selector{}, err
	}
	sep, err := parseText("SEP", text)
	return Selector{kind: selectField, first: n - 1, text: sep}, err
}

func parseCount(name, s string, least int) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || int(n) < least {
		return 0, fmt.Errorf("%s %q is not a number from %d on", name, s, least)
	}
	return int(n), nil
}

func parseText(name, s string) ([]byte, error) {
	if s == "" {
		return nil, fmt.Errorf("%s is missing", name)
	}
	text, err := Unescape(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// NeedsMeta reports whether the selector picks from the metadata, and so nothing from data alone.
func (s *Selector) NeedsMeta() bool { return s.kind == selectMeta }

// MetaName returns the NAME of meta:NAME; empty for any other selector.
func (s *Selector) MetaName() string { return s.name }

// Find returns the part of msg that the selector picks; nil if it finds nothing. The result shares
// memory with msg, except for a JSON string with escapes, which is decoded.
func (s *Selector) Find(msg []byte) []byte {
	v, escaped := s.find(msg)
	if escaped {
		return appendUnquoted(make([]byte, 0, len(v)), v)
	}
	return v
}

// AppendRaw appends the part of msg that the selector picks to dst. Unlike Append, it appends a
// JSON string with its escapes, and a JSON object or array without the white space between its
// elements. So a JSON value never adds a control character, such as the line feed that ends an ack.
// It allocates only to extend dst.
func (s *Selector) AppendRaw(dst, msg []byte) []byte {
	v, _ := s.find(msg)
	if s.kind == selectJSON && len(v) > 0 && (v[0] == '{' || v[0] == '[') {
		return appendCompact(dst, v)
	}
	return append(dst, v...)
}

// Append appends the part of msg that the selector picks to dst. It allocates only to extend dst.
func (s *Selector) Append(dst, msg []byte) []byte {
	v, escaped := s.find(msg)
	if escaped {
		return appendUnquoted(dst, v)
	}
	return append(dst, v...)
}

// AppendFrom is Append for a message with metadata. It picks from the data as received.
func (s *Selector) AppendFrom(dst []byte, m worker.Message) []byte {
	if s.kind == selectMeta {
		return m.AppendMeta(dst, s.name)
	}
	return s.Append(dst, m.Received())
}

// AppendRawFrom is AppendRaw for a message with metadata. It picks from the data as received; a
// value of the metadata is appended unchanged.
func (s *Selector) AppendRawFrom(dst []byte, m worker.Message) []byte {
	if s.kind == selectMeta {
		return m.AppendMeta(dst, s.name)
	}
	return s.AppendRaw(dst, m.Received())
}

// find returns the part of msg that the selector picks. escaped: it is the inside of a JSON string
// with escapes.
func (s *Selector) find(msg []byte) (part []byte, escaped bool) {
	switch s.kind {
	case selectBytes:
		if s.first >= len(msg) {
			return nil, false
		}
		part = msg[s.first:]
		return part[:min(s.length, len(part))], false
	case selectField:
		return s.findField(msg), false
	case selectJSON:
		return s.findJSON(msg)
	}
	return nil, false
}

func (s *Selector) findJSON(msg []byte) (part []byte, escaped bool) {
	v, ok := findPath(msg, s.path)
	switch {
	case !ok:
		return nil, false
	case msg[v.Start] == '"':
		return msg[v.Start+1 : v.End-1], v.Escaped
	}
	return msg[v.Start:v.End], false
}

func (s *Selector) findField(msg []byte) []byte {
	for range s.first {
		i := bytes.Index(msg, s.text)
		if i < 0 {
			return nil
		}
		msg = msg[i+len(s.text):]
	}
	if i := bytes.Index(msg, s.text); i >= 0 {
		return msg[:i]
	}
	return msg
}
