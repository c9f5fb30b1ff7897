package selector

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// selectorCase is what a selector must find in a message; <nil>: nothing.
type selectorCase struct{ selector, msg, want string }

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

var pointerCases = []selectorCase{
	{"json:/id", `{"id":"x"}`, "x"},
	{"json:/", `{"":"x","a":1}`, "x"},
	{"json:/a/b", `{"b":0,"a":{"a":1,"b":"\u0041\n"},"c":2}`, "A\n"},
	{"json:/a/b", `{"a":{"b":1},"a":{"b":2,"b":3}}`, "3"},
	{"json:/a/b", `{"a":{"b":1},"a":{"c":2}}`, "<nil>"},
	{"json:/a/b", `{"a":"b"}`, "<nil>"},
	{"json:/a/b", `{"a":7}`, "<nil>"},
	{"json:/a/b", `{"b":7}`, "<nil>"},
	{"json:/a//b", `{"a":{"":{"b":7}}}`, "7"},
	{"json:/a/1", `{"a":["x", [ "y" ] ,{}]}`, `[ "y" ]`},
	{"json:/a/1/0", `{"a":["x", [ "y" ] ,{}]}`, "y"},
	{"json:/a/3", `{"a":[1,2,3]}`, "<nil>"},
	{"json:/a/-", `{"a":[1,2,3]}`, "<nil>"},
	{"json:/a/01", `{"a":[1,2,3]}`, "<nil>"},
	{"json:/a/+1", `{"a":[1,2,3]}`, "<nil>"},
	{"json:/a/01", `{"a":{"01":9,"1":8}}`, "9"},
	{"json:/a/1", `{"a":{"01":9,"1":8}}`, "8"},
	{"json:/0/id", "[{\"id\":5}]", "5"},
	{"json:/0", "\ufeff[5]", "5"},
	{"json:/99999999999", "[5]", "<nil>"},
	{"json:/a~1b/c~0d/~01", `{"a/b":{"c~d":{"~1":6}}}`, "6"},
	{`json:/a\x2fb`, `{"a":{"b":4}}`, "4"},
	{"json:/\u00e9", `{"\u00e9":3}`, "3"},
	{"json:/a/b", `{"a":{"b":1},"c":tru}`, "<nil>"},
	{"json:/a/b", `{"a":{"b":1}}x`, "<nil>"},
	{"json:/0", "[1,]", "<nil>"},
	{"json:/0", "[1", "<nil>"},
	{"json:/0", "7", "<nil>"},
	{"json:/0", "", "<nil>"},
	{"json:/id", `{"id":1,"a":` + deep(10000) + `}`, "<nil>"},
}

// TestAppendRaw: JSON placeholders copy text of the message, without bytes that could end an ack.
func TestAppendRaw(t *testing.T) {
	for _, c := range []struct{ selector, msg, want string }{
		{"json:id", `{"id":"7\nOK 8"}`, `7\nOK 8`},
		{"json:id", `{"id":"7\u000aOK \"8\""}`, `7\u000aOK \"8\"`},
		{"json:id", `{"id":"plain"}`, "plain"},
		{"json:id", `{"id":""}`, ""},
		{"json:id", `{"id":-1.5e3}`, "-1.5e3"},
		{"json:id", "{\"id\":[\n8\n,\t\"a b\\\" \" ]}", `[8,"a b\" "]`},
		{"json:id", "{\"id\":{\"a\" :\r\n{ } }}", `{"a":{}}`},
		{"json:/a/0", `{"a":["x\ty"]}`, `x\ty`},
		{"json:id", `{"other":1}`, ""},
		{"bytes:0:3", "a\nb", "a\nb"},
		{"field:2:,", "{,[ 1 ]", "[ 1 ]"},
	} {
		s, err := Parse(c.selector)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.AppendRaw([]byte("+"), []byte(c.msg)); string(got) != "+"+c.want {
			t.Errorf("%s in %q: %q, want %q", c.selector, c.msg, got, c.want)
		}
	}
}

// jsonValue draws a value and a way to write it.
func jsonValue(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Float64().AsAny(),
		rapid.SampledFrom([]string{"", "a", "7\nOK 8", "~/", "\u2028"}).AsAny())
	if depth == 0 {
		return leaf
	}
	inner := jsonValue(depth - 1)
	name := rapid.SampledFrom([]string{"a", "b", "0", "1", "01", "", "~", "/", "a/b"})
	return rapid.OneOf(leaf, rapid.MapOfN(name, inner, 0, 4).AsAny(), rapid.SliceOfN(inner, 0, 3).AsAny())
}

// TestPointer compares with a plain implementation of RFC 6901 on encoding/json.
func TestPointer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := jsonValue(3).Draw(t, "value")
		text, err := json.Marshal(value)
		if rapid.Bool().Draw(t, "indent") {
			text, err = json.MarshalIndent(value, "", "\t")
		}
		if err != nil {
			t.Fatal(err)
		}
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "0", "1", "2", "01", "-", "", "~", "/", "a/b"}), 1, 4).Draw(t, "tokens")
		pointer := ""
		for _, token := range tokens {
			pointer += "/" + strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
		}
		want, ok := walk(value, tokens)
		s, err := Parse("json:" + pointer)
		if err != nil {
			t.Fatal(err)
		}
		got := s.Find(text)
		if (got != nil) != ok {
			t.Fatalf("%s in %s: found %q, want %v (%v)", pointer, text, got, want, ok)
		}
		raw := s.AppendRaw(nil, text)
		for _, c := range raw {
			if c < ' ' {
				t.Fatalf("%s in %s: %q has a control character", pointer, text, raw)
			}
		}
		switch want := want.(type) {
		case string:
			if string(got) != want {
				t.Fatalf("%s in %s: found %q, want %q", pointer, text, got, want)
			}
			raw = []byte(`"` + string(raw) + `"`)
		}
		if !ok {
			return
		}
		compact, err := json.Marshal(want)
		if err != nil || string(raw) != string(compact) {
			t.Fatalf("%s in %s: %s, want %s (%v)", pointer, text, raw, compact, err)
		}
	})
}

func walk(value any, tokens []string) (any, bool) {
	for _, token := range tokens {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[token]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			found := false
			for i, next := range v {
				if fmt.Sprint(i) == token {
					value, found = next, true
					break
				}
			}
			if !found {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return value, true
}

func TestPointerFaults(t *testing.T) {
	for _, text := range []string{"json:", "json:/~", "json:/a~2", "json:/a/~b", "json:/~0~"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

func TestPointerDoesNotAllocate(t *testing.T) {
	s, err := Parse("json:/a/1/b")
	if err != nil {
		t.Fatal(err)
	}
	msg, dst := []byte("{\"a\":[0,{\"b\":[1,\n2]}]}"), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		s.Hash(msg)
		if string(s.AppendRaw(dst, msg)) != "[1,2]" {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzPointer checks that no text makes a pointer panic.
func FuzzPointer(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"x"}]}`), "/a/0/b")
	f.Add([]byte("\ufeff[[[\"\\\""), "/0/0/0")
	f.Fuzz(func(t *testing.T, text []byte, pointer string) {
		s, err := Parse("json:" + pointer)
		if err != nil {
			return
		}
		raw := s.AppendRaw(nil, text)
		for _, c := range raw {
			if c < ' ' {
				t.Fatalf("%q in %q: %q has a control character", pointer, text, raw)
			}
		}
		if s.Hash(text) != hashBytes(s.Find(text)) {
			t.Fatalf("%q in %q: Hash and Find differ", pointer, text)
		}
	})
}
