package template

import (
	"errors"
	"fmt"
	"strings"

	"feedgate/worker/selector"
)

// Parse reads a template that is used as where. An error names the fault and the
// byte of text, from 1, at which it begins.
//
// A { begins a placeholder, which ends at the next }; {{ is a literal {, and a }
// outside a placeholder is literal. Inside one the bytes of SEP and NAME may be
// written as escapes, so that \x7d stands for a } there. In an Ack template:
//
//	{n} {code}              the arrival number and the code, as decimal text
//	{n:FORM} {code:FORM}    in binary, wrapped to its width; FORM is u8, or u16,
//	                        u32 or u64 followed by be or le
//	{bytes:OFFSET:LENGTH}
//	{field:N:SEP}
//	{json:NAME} {json:/A/B} what [selector.Selector.AppendRaw] picks from the message, if
//	                        anything
//	{json:NAME:text}        with a JSON string decoded. A NAME that ends in :text is
//	                        written with \x3a
//	{meta:NAME}             what the protocol reports about the message
//	{id}                    what identifies the message permanently, as [worker.Message.AppendRawID]
//
// What a selector picks otherwise, a value of the metadata and an id are copied as they are:
// where the server finds the end of an ack by certain bytes, only what cannot hold these may be
// quoted, or whoever writes messages writes acks.
//
// An Output template has all of these but {code}, and {data}, the message as it was received.
// In a Hello template {token} is the secret. A Heartbeat template has none.
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
				return nil, fmt.Errorf("byte %d: placeholder %s: %w", i+1, rest[:size], err)
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

// placeholders are those that there are, for errors.
var placeholders = map[Where]string{
	Hello:     "there are {token}, and {{ for a literal {",
	Heartbeat: "there are none, and {{ for a literal {",
	Ack:       "there are {n}, {code}, {bytes:OFFSET:LENGTH}, {field:N:SEP}, {json:NAME}, {json:/A/B}, {meta:NAME}, {id}, and {{ for a literal {",
	Output:    "there are {data}, {n}, {bytes:OFFSET:LENGTH}, {field:N:SEP}, {json:NAME}, {json:/A/B}, {meta:NAME}, {id}, and {{ for a literal {",
}

var (
	errForm = errors.New("want nothing behind the name, for decimal text, or u8, u16be, u16le, u32be, u32le, " +
		"u64be or u64le")
	errTokenArg   = errors.New("want {token}")
	errHelloOnly  = errors.New("only --hello has the token")
	errNoMessage  = errors.New("there is no message to take it from")
	errNoCode     = errors.New("only an ack has a code")
	errNoArgument = errors.New("want nothing behind the name")
	errOutputOnly = errors.New("only --output has the data")
)

// parsePlaceholder reads the inside of a placeholder.
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

// check reports a placeholder that has no meaning in a template for where.
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

// classify notes what the parts ask for.
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
