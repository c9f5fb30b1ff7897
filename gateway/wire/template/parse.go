package template

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"feedgate/worker/selector"
)

// Parse parses a template for the use where. Its error names the fault and the byte of text, from
// 1, at which it begins.
//
// A { begins a placeholder, which ends at the next }; {{ is a literal {, and a } outside a
// placeholder is literal. Inside a placeholder, the bytes of SEP and NAME may be escaped: \x7d is
// a }. An Ack template has:
//
//	{n} {code}              the arrival number and the code, as decimal text
//	{n:FORM} {code:FORM}    in binary, wrapped to its width; FORM is u8, or u16,
//	                        u32 or u64 followed by be or le
//	{bytes:OFFSET:LENGTH}
//	{field:N:SEP}
//	{json:NAME} {json:/A/B} what [selector.Selector.AppendRaw] selects from the message;
//	                        nothing if it finds nothing
//	{json:NAME:text}        the same with a JSON string decoded. A NAME that ends in :text
//	                        is written with \x3a
//	{meta:NAME}             what the protocol reports about the message
//	{id}                    what identifies the message permanently, as
//	                        [worker.Message.AppendRawID]
//
// Selected bytes, metadata and ids are copied as they are. If the server finds the end of an ack
// by certain bytes, quote only what cannot contain them; otherwise whoever writes messages can
// write acks.
//
// An Output template has all of these except {code}, and {data}, the message as it was received.
// A Hello template has {token}, the secret. A Heartbeat template has no placeholder.
func Parse(text string, where Where) (*Template, error) {
	t := &Template{}
	var literal []byte
	flush := func() {
		if len(literal) > 0 {
			t.parts = append(t.parts, part{literal: literal})
			literal = nil
		}
	}
	for i := 0; i < len(text); {
		switch rest := text[i:]; {
		case rest[0] == '\\':
			c, size, err := selector.UnescapeByte(rest)
			if err != nil {
				return nil, fmt.Errorf("byte %d: %w", i+1, err)
			}
			literal = append(literal, c)
			i += size
		case strings.HasPrefix(rest, "{{"):
			literal = append(literal, '{')
			i += 2
		case rest[0] == '{':
			size := strings.IndexByte(rest, '}') + 1
			if size == 0 {
				return nil, fmt.Errorf("byte %d: { without }; {{ is a literal {", i+1)
			}
			p, err := parsePlaceholder(rest[1:size-1], where)
			if err != nil {
				return nil, fmt.Errorf("byte %d: placeholder %s: %w", i+1, shown(rest[1:size-1]), err)
			}
			flush()
			t.parts = append(t.parts, p)
			i += size
		default:
			literal = append(literal, rest[0])
			i++
		}
	}
	flush()
	t.classify()
	return t, nil
}

// known are the names of placeholders.
var known = []string{"token", "n", "code", "id", "data", "bytes", "field", "json", "meta"}

// shown returns the text between braces as an error may show it. What is no placeholder may be JSON with
// a password, whose braces should have been doubled: only a name is shown of it.
func shown(text string) string {
	name, _, hasArg := strings.Cut(text, ":")
	odd := strings.ContainsFunc(name, func(c rune) bool { return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') })
	switch {
	case slices.Contains(known, name), !hasArg && !odd:
		return "{" + text + "}"
	case odd:
		return "{...}"
	}
	return "{" + name + ":...}"
}

// placeholders are the placeholders of each use, for errors.
var placeholders = map[Where]string{
	Hello:     "use {token}, or {{ for a literal {",
	Heartbeat: "a heartbeat has none; {{ is a literal {",
	Ack:       "use {n}, {code}, {bytes:OFFSET:LENGTH}, {field:N:SEP}, {json:NAME}, {json:/A/B}, {meta:NAME}, {id}, or {{ for a literal {",
	Output:    "use {data}, {n}, {bytes:OFFSET:LENGTH}, {field:N:SEP}, {json:NAME}, {json:/A/B}, {meta:NAME}, {id}, or {{ for a literal {",
}

var (
	errForm = errors.New("want nothing after the name, for decimal text, or u8, u16be, u16le, u32be, u32le, " +
		"u64be or u64le")
	errTokenArg   = errors.New("want {token}")
	errHelloOnly  = errors.New("only --hello has the token")
	errNoMessage  = errors.New("no message to take it from")
	errNoCode     = errors.New("only an ack has a code")
	errNoArgument = errors.New("want nothing after the name")
	errOutputOnly = errors.New("only --output has the data")
)

// parsePlaceholder parses the text between the braces.
func parsePlaceholder(text string, where Where) (p part, err error) {
	name, arg, hasArg := strings.Cut(text, ":")
	switch name {
	case "token":
		switch {
		case hasArg:
			return part{}, errTokenArg
		case where != Hello:
			return part{}, errHelloOnly
		}
		return part{kind: partToken}, nil
	case "n":
		p.kind = partNumber
	case "code":
		p.kind = partCode
	case "id", "data":
		p.kind = partID
		if name == "data" {
			p.kind = partData
		}
		if hasArg {
			err = errNoArgument
		}
	case "bytes", "field", "json", "meta":
		p.kind = partSelector
		if name == "json" {
			arg, p.decoded = strings.CutSuffix(arg, ":text")
			text = name + ":" + arg
		}
		p.selector, err = selector.Parse(text)
	default:
		err = errors.New("unknown; " + placeholders[where])
	}
	if (p.kind == partNumber || p.kind == partCode) && hasArg && err == nil {
		var ok bool
		if p.form, ok = forms[arg]; !ok {
			err = errForm
		}
	}
	if err == nil {
		err = p.check(where)
	}
	return p, err
}

// check returns an error if the placeholder has no meaning in a template for where.
func (p *part) check(where Where) error {
	switch {
	case p.kind == partData && where != Output:
		return errOutputOnly
	case p.kind == partCode && where == Output:
		return errNoCode
	case where != Ack && where != Output:
		return errNoMessage
	}
	return nil
}

// classify records what the parts need.
func (t *Template) classify() {
	t.run = -1
	numbers := 0
	for i := range t.parts {
		switch t.parts[i].kind {
		case partNumber:
			numbers++
			t.run = i
		case partCode:
			t.code = true
		case partID:
			t.id, t.message = true, true
		case partSelector, partData:
			t.message = true
		}
	}
	if numbers != 1 || t.message {
		t.run = -1
	}
}
