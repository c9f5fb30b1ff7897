package template

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"feedgate/worker"
	"feedgate/worker/selector"
)

var token = regexp.MustCompile(`(?s)^(\\[nrt0\\]|\\x[0-9a-fA-F]{2}|\{\{|\{[^}]*\}|[^\\{])`)

// compareTemplate compares with a rendering by regular expression, and acks in a
// run with acks one by one.
func compareTemplate(t interface{ Fatalf(string, ...any) }, text string, n uint64, code uint16, msg string) {
	want, ok := reference(text, n, code, msg)
	tmpl, err := Parse(text, Ack)
	if ok != (err == nil) {
		t.Fatalf("%q: error %v, the reference accepts it: %v", text, err, ok)
	}
	if err != nil {
		return
	}
	if got := tmpl.Append([]byte("+"), worker.Message{Seq: n, Data: []byte(msg)}, code); string(got) != "+"+want {
		t.Fatalf("%q with %d, %d, %q: got %q, want %q", text, n, code, msg, got, want)
	}
	if !tmpl.NeedsMessage() {
		compareRun(t, tmpl, n>>1, 12, code)
	}
}

func reference(text string, n uint64, code uint16, msg string) (out string, ok bool) {
	escape := map[byte]string{'n': "\n", 'r': "\r", 't': "\t", '0': "\x00", '\\': `\`}
	for text != "" {
		part := token.FindString(text)
		switch {
		case part == "":
			return "", false
		case part == "{{":
			out += "{"
		case strings.HasPrefix(part, `\x`):
			v, _ := strconv.ParseUint(part[2:], 16, 8)
			out += string([]byte{byte(v)})
		case part[0] == '\\':
			out += escape[part[1]]
		case part[0] == '{':
			s, ok := referencePlaceholder(part[1:len(part)-1], n, code, msg)
			if !ok {
				return "", false
			}
			out += s
		default:
			// The expression takes a byte that is not UTF-8 for U+FFFD of length 1.
			out += part
		}
		text = text[len(part):]
	}
	return out, true
}

func referencePlaceholder(text string, n uint64, code uint16, msg string) (string, bool) {
	sel, decoded := text, true
	if strings.HasPrefix(text, "json:") {
		m := regexp.MustCompile(`(?s)^json:(.*?)(:text)?$`).FindStringSubmatch(text)
		sel, decoded = "json:"+m[1], m[2] != ""
	}
	if s, err := selector.Parse(sel); err == nil && decoded {
		return string(s.Find([]byte(msg))), true
	} else if err == nil {
		return string(s.AppendRaw(nil, []byte(msg))), true
	}
	if text == "id" {
		return "", true // of a message that has none
	}
	name, format, hasFormat := strings.Cut(text, ":")
	v := n
	if name == "code" {
		v = uint64(code)
	} else if name != "n" {
		return "", false
	}
	if !hasFormat {
		return fmt.Sprint(v), true
	}
	m := regexp.MustCompile(`^u(8|16|32|64)(|be|le)$`).FindStringSubmatch(format)
	if m == nil || m[1] != "8" && m[2] == "" {
		return "", false
	}
	bits, _ := strconv.Atoi(m[1])
	var b []byte
	for shift := 0; shift < bits; shift += 8 {
		if m[2] == "le" {
			b = append(b, byte(v>>shift))
		} else {
			b = append(b, byte(v>>(bits-8-shift)))
		}
	}
	return string(b), true
}
