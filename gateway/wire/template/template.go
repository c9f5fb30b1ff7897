// Package template renders the templates of --hello, --ack-template, --heartbeat-template and
// --output: bytes with escapes and placeholders.
package template

import (
	"slices"

	"feedgate/worker/selector"

	"feedgate/worker"
)

// Where is the use of a template. It decides which placeholders there are.
type Where uint8

// Uses of templates.
const (
	Hello     Where = iota // {token}
	Ack                    // {n}, {code}, {id} and the selectors
	Heartbeat              // none
	Output                 // {n}, {data}, {id} and the selectors
)

// Template is a parsed template. It is immutable and may be shared.
type Template struct {
	parts   []part
	message bool // a part is taken from the message or its metadata
	code    bool // a part is the code
	id      bool // a part is the id

	// run is the index of the {n} part, if it is the only part that differs between acks with one
	// code; otherwise -1.
	run int
}

// part is a literal or a placeholder.
type part struct {
	kind     partKind
	form     form              // of a number
	literal  []byte            // of partLiteral
	selector selector.Selector // of partSelector
	decoded  bool              // partSelector: a JSON string is decoded
}

type partKind uint8

const (
	partLiteral partKind = iota
	partNumber
	partCode
	partSelector
	partID
	partData
	partToken
)

// AckNote returns wire.Traits.AckNote for a protocol with this ack template; nil: without.
func AckNote(ack *Template) string {
	if ack == nil {
		return "without --ack-template"
	}
	return ""
}

// NoRefusalAck returns wire.Traits.NoRefusalAck for a protocol with this ack template; nil:
// without.
func NoRefusalAck(ack *Template) string {
	if ack == nil || ack.code {
		return ""
	}
	return "--ack-template has no {code}"
}

// NeedsMessage reports whether Append uses more of the message than its number.
func (t *Template) NeedsMessage() bool { return t.message }

// MetaNames returns the names of the metadata in the template.
func (t *Template) MetaNames() (names []string) {
	for i := range t.parts {
		if name := t.parts[i].selector.MetaName(); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// HasID reports whether the template has {id}.
func (t *Template) HasID() bool { return t.id }

// Quotes returns how many parts are taken from the message's data or metadata. The longest result
// of Append is the template's own text plus this many times the longest of these.
func (t *Template) Quotes() (n int) {
	for i := range t.parts {
		switch t.parts[i].kind {
		case partSelector, partID, partData:
			n++
		}
	}
	return n
}

// AppendCounting is Append for a template in which consecutive acks differ only in one decimal
// number. first and last are the offsets in out of its first and last digit. For any other
// template, it appends nothing, and last is less than first.
func (t *Template) AppendCounting(dst []byte, n uint64, code uint16) (out []byte, first, last int) {
	if t.run < 0 || t.parts[t.run].form != decimal {
		return dst, 0, -1
	}
	m := worker.Message{Seq: n}
	dst = appendParts(dst, t.parts[:t.run], &m, code)
	first = len(dst)
	dst = decimal.append(dst, n)
	return appendParts(dst, t.parts[t.run+1:], &m, code), first, len(dst) - 1
}

// Acks reports whether t, an Ack template, is sent for a message with this code. Without {code}
// it is not sent for a refusal, which the peer would take for a success. t may be nil: no acks.
func (t *Template) Acks(code worker.Code) bool {
	return t != nil && (code == worker.OK || t.code)
}

// AppendHello appends a Hello template, with token for {token}.
func (t *Template) AppendHello(dst, token []byte) []byte {
	for i := range t.parts {
		if p := &t.parts[i]; p.kind == partToken {
			dst = append(dst, token...)
		} else {
			dst = append(dst, p.literal...)
		}
	}
	return dst
}

// Append appends an Ack, Output or Heartbeat template for message m and a code. m may lack data
// and metadata unless NeedsMessage. Append allocates only to extend dst, and keeps nothing of m.
func (t *Template) Append(dst []byte, m worker.Message, code uint16) []byte {
	return appendParts(dst, t.parts, &m, code)
}

func appendParts(dst []byte, parts []part, m *worker.Message, code uint16) []byte {
	for i := range parts {
		switch p := &parts[i]; p.kind {
		case partLiteral:
			dst = append(dst, p.literal...)
		case partNumber:
			dst = p.form.append(dst, m.Seq)
		case partCode:
			dst = p.form.append(dst, uint64(code))
		case partSelector:
			if p.decoded {
				dst = p.selector.AppendFrom(dst, *m)
			} else {
				dst = p.selector.AppendRawFrom(dst, *m)
			}
		case partID:
			dst = m.AppendRawID(dst)
		case partData:
			dst = append(dst, m.Received()...)
		}
	}
	return dst
}

// AppendRun appends an Ack template count times, for the arrival numbers from n on, with one
// code. n must not wrap around. The template must not need the message: selectors would find
// nothing.
func (t *Template) AppendRun(dst []byte, n uint64, count int, code uint16) []byte {
	if t.run < 0 {
		for range count {
			dst = t.Append(dst, worker.Message{Seq: n}, code)
			n++
		}
		return dst
	}
	// The acks of a run differ only in their number, and within a decade only in its last digit.
	// So one is rendered, and the others are copied from it and patched. The copy is made from
	// the first ack, not from the one before, whose patch the processor would still be storing
	// when the copy loads it.
	form := t.parts[t.run].form
	for count > 0 {
		start := len(dst)
		m := worker.Message{Seq: n}
		dst = appendParts(dst, t.parts[:t.run], &m, code)
		from := len(dst) - start
		dst = form.append(dst, n)
		to := len(dst) - start
		dst = appendParts(dst, t.parts[t.run+1:], &m, code)
		end := len(dst)

		same := count
		if form == decimal {
			same = int(min(uint64(count), 10-n%10))
		}
		for i := 1; i < same; i++ {
			at := len(dst)
			dst = append(dst, dst[start:end]...)
			if form == decimal {
				dst[at+to-1] += byte(i)
			} else {
				form.append(dst[at+from:at+from], n+uint64(i))
			}
		}
		count -= same
		n += uint64(same)
	}
	return dst
}
