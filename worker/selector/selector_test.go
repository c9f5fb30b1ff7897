package selector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestSelectorFind(t *testing.T) {
	for _, c := range append(pointerCases, []selectorCase{
		{"bytes:0:2", "abcdef", "ab"},
		{"bytes:4:2", "abcdef", "ef"},
		{"bytes:4:9", "abcdef", "ef"},
		{"bytes:6:1", "abcdef", "<nil>"},
		{"bytes:2147483647:2147483647", "abcdef", "<nil>"},
		{"bytes:0:1", "", "<nil>"},

		{"field:1:,", "a,b,c", "a"},
		{"field:2:,", "a,b,c", "b"},
		{"field:3:,", "a,b,c", "c"},
		{"field:4:,", "a,b,c", "<nil>"},
		{"field:2:,", "a,,c", ""},
		{"field:2:,", "a,", ""},
		{"field:1:,", "abc", "abc"},
		{"field:2:::", "a::b::c", "b"},
		{"field:2::", "a:b:c", "b"},
		{`field:2:\t`, "a\tb\tc", "b"},
		{`field:2:\x7d\\`, `a}\b`, "b"},

		{"json:id", `{"id":"x"}`, "x"},
		{"json:id", ` { "a" : [1,{"id":2}] , "id" : "x y" } `, "x y"},
		{"json:id", `{"id":""}`, ""},
		{"json:id", `{"id":17}`, "17"},
		{"json:id", `{"id":-1.50e+3 }`, "-1.50e+3"},
		{"json:id", `{"id":null}`, "null"},
		{"json:id", `{"id":true,"b":false}`, "true"},
		{"json:id", `{"id":{"a": [1, 2]} }`, `{"a": [1, 2]}`},
		{"json:id", `{"id":[]}`, `[]`},
		{"json:id", `{"id":1,"id":"2"}`, "2"},
		{"json:id", `{"id":1,"\u0069d":"2"}`, "2"},
		{"json:id", `{"a":{"id":1}}`, "<nil>"},
		{"json:id", `{"a":[{"id":1}]}`, "<nil>"},
		{"json:id", `{"a":{"id":1},"id":2}`, "2"},
		{"json:id", `{"a":"id","id":2}`, "2"},
		{"json:id", `{"a":"\"id\":1"}`, "<nil>"},
		{"json:id", `{"a":"\"id\":1","id" : 2}`, "2"},
		{"json:id", `{"a":"\\","id":2}`, "2"},
		{"json:id", `{"a\"id":1}`, "<nil>"},
		{"json:,", `{"a":"b",":x":1}`, "<nil>"},
		{"json:, ", `{"a":"b", ":x":1}`, "<nil>"},
		{"json::", `{"k":":1"}`, "<nil>"},
		{"json::", `{":":1}`, "1"},
		{"json::1,", `{"a":1,":1,b":2}`, "<nil>"},
		{`json:\x2fa\x2fb`, `{"a":{"b":1}}`, "1"},
		{"json:id", `{"id":"a\u0062","id":3}`, "3"},
		{"json:id", `{"\u0069\u0064":1}`, "1"},
		{"json:id", `{"\u0069\u0065":1,"i\n":2}`, "<nil>"},
		{"json:id", `{"ID":1}`, "<nil>"},
		{"json:id", `{"other":1}`, "<nil>"},
		{"json:id", `{}`, "<nil>"},
		{`json:a\x2eb`, `{"a.b":1}`, "1"},
		{"json:a:b", `{"a:b":1}`, "1"},
		{"json:é\U0001F600", `{"\u00e9\uD83D\uDE00":1}`, "1"},
		{"json:id", `{"id":"\"\\\/\b\f\n\r\t\u0041"}`, "\"\\/\b\f\n\r\tA"},
		{"json:id", `{"id":"\ud83d\ude00|\ud83d|\ude00|\ud83d\u0041|\ud83d\ud83d\ude00"}`,
			"\U0001F600|\uFFFD|\uFFFD|\uFFFDA|\uFFFD\U0001F600"},
		{"json:id", "{\"id\":\"\xff\xc3\"}", "\xff\xc3"},
		{"json:id", `{"id":1,"a":` + deep(9999) + `}`, "1"},

		{"json:id", "\ufeff{\"id\":1}", "1"},
		{"json:id", "\ufeff\n {\"id\":1}", "1"},
		{"json:id", " \ufeff{\"id\":1}", "<nil>"},
		{"json:id", "\ufeff\ufeff{\"id\":1}", "<nil>"},
		{"json:id", "\ufeff", "<nil>"},
		{"json:id", "\xef\xbb", "<nil>"},

		{"json:id", `{"id":1,"a":` + deep(10000) + `}`, "<nil>"},
		{"json:id", ``, "<nil>"},
		{"json:id", `"id"`, "<nil>"},
		{"json:id", `["id",1]`, "<nil>"},
		{"json:id", `{"id":1`, "<nil>"},
		{"json:id", `{"id":1,}`, "<nil>"},
		{"json:id", `{"id":1}x`, "<nil>"},
		{"json:id", `{"id":1}{}`, "<nil>"},
		{"json:id", `{"id":1,"a":tru}`, "<nil>"},
		{"json:id", `{"id":1,"a":truex}`, "<nil>"},
		{"json:id", `{"id":01}`, "<nil>"},
		{"json:id", `{"id":1.}`, "<nil>"},
		{"json:id", `{"id":1e}`, "<nil>"},
		{"json:id", `{"id":-}`, "<nil>"},
		{"json:id", `{"id":+1}`, "<nil>"},
		{"json:id", `{"id":}`, "<nil>"},
		{"json:id", `{"id"}`, "<nil>"},
		{"json:id", `{id:1}`, "<nil>"},
		{"json:id", `{"id":"a`, "<nil>"},
		{"json:id", `{"id":"a\"}`, "<nil>"},
		{"json:id", `{"id":"\x41"}`, "<nil>"},
		{"json:id", `{"id":"\u12g4"}`, "<nil>"},
		{"json:id", `{"id":"\u12`, "<nil>"},
		{"json:id", `{"id":1,"abcdefghijkl` + "\n" + `":2}`, "<nil>"},
		{"json:id", `{"id":1,"a":[1 2]}`, "<nil>"},
		{"json:id", `{"id":1,"a":[1}}`, "<nil>"},
	}...) {
		s, err := Parse(c.selector)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		got := s.Find([]byte(c.msg))
		if text := nilText(got); text != c.want {
			t.Errorf("%s in %.60q: got %q, want %q", c.selector, c.msg, text, c.want)
		}
		if appended := s.Append([]byte("+"), []byte(c.msg)); string(appended) != "+"+string(got) {
			t.Errorf("%s in %.60q: Append gives %q, Find %q", c.selector, c.msg, appended, got)
		}
		if hash := s.Hash([]byte(c.msg)); hash != hashBytes(got) && (got != nil || wellFormed([]byte(c.msg))) {
			t.Errorf("%s in %.60q: Hash is not that of what Find returns", c.selector, c.msg)
		}
	}
	var zero Selector
	if zero.Find([]byte("abc")) != nil {
		t.Error("the zero Selector found something")
	}
}

func nilText(b []byte) string {
	if b == nil {
		return "<nil>"
	}
	return string(b)
}

func TestParseSelectorFaults(t *testing.T) {
	for selector, want := range map[string]string{
		"":                   "want bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B or meta:NAME",
		"key":                "want bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B or meta:NAME",
		"bytes":              `OFFSET ""`,
		"bytes:1":            `LENGTH ""`,
		"bytes:1:0":          `LENGTH "0"`,
		"bytes:-1:1":         `OFFSET "-1"`,
		"bytes:0:1:2":        `LENGTH "1:2"`,
		"bytes:2147483648:1": `OFFSET "2147483648"`,
		"field:0:,":          `N "0"`,
		"field:x:,":          `N "x"`,
		"field:1:":           "SEP is missing",
		"field:1":            "SEP is missing",
		`field:1:\q`:         "unknown escape",
		`field:1:\`:          "a backslash at the end",
		"json":               "NAME is missing",
		"json:":              "NAME is missing",
		`json:\x1`:           "unknown escape",
		`json:\xzz`:          "unknown escape",
	} {
		_, err := Parse(selector)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want one with %q", selector, err, want)
		}
	}
}

func TestSelectorDoesNotAllocate(t *testing.T) {
	msg := []byte(`{"a":[1,{"b":"c"}],"id":"0123456789\u00e9\ud83d\ude00\n","plain":"0123456789"}`)
	dst := make([]byte, 0, 256)
	for _, text := range []string{"bytes:3:8", "field:2:,", "field:2::[", "json:id", "json:plain", "json:a"} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() {
			s.Hash(msg)
			s.Append(dst, msg)
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

// TestHashSpreads: with consecutive keys, no worker gets more than a tenth above its share.
func TestHashSpreads(t *testing.T) {
	const keys = 20000
	for _, format := range []string{"%d", "%08d", "sensor-%d", "%x", "user:%d:session"} {
		for _, workers := range []uint64{2, 3, 4, 7, 8, 16} {
			counts := make([]int, workers)
			for i := range keys {
				counts[(hashBytes(fmt.Appendf(nil, format, i))>>32)*workers>>32]++ // as the gateway does
			}
			for w, n := range counts {
				if share := keys / int(workers); n > share*11/10 || n < share*9/10 {
					t.Errorf("%q: worker %d of %d has %d of %d keys", format, w, workers, n, keys)
				}
			}
		}
	}
}

// TestShortKeysSpread: keys that differ in few digits or letters are distributed as evenly as random ones.
func TestShortKeysSpread(t *testing.T) {
	for _, format := range []string{"%d", "%02d", "%03d", "key-%02d", "K%07d", "%d-user", "%08x", "user:%d:orders", "%016d", "%c"} {
		for workers := 2; workers <= 16; workers++ {
			const keys = 90
			got := make([]int, workers)
			for i := range keys {
				h := hashBytes(fmt.Appendf(nil, format, i+32))
				got[int((h>>32)*uint64(workers)>>32)]++
			}
			mean := float64(keys) / float64(workers)
			for _, n := range got {
				if d := float64(n) - mean; d*d > 16*mean { // four standard deviations
					t.Errorf("%s, %d workers: %v", format, workers, got)
					break
				}
			}
		}
	}
}

func TestHasherIsHashBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		h := hasher{state: hashSeed}
		for _, c := range b {
			h.add(c)
		}
		if h.sum() != hashBytes(b) {
			t.Fatalf("%x: %x byte by byte, %x at once", b, h.sum(), hashBytes(b))
		}
	})
}

// TestHashAll: the hash of a message does not depend on the messages before it.
func TestHashAll(t *testing.T) {
	message := rapid.OneOf(
		rapid.SampledFrom([]string{"", "abcdefgh", "abcdefg", "abcdefghijklmnop", "a,b", ",", "{", `{"k":`, `{"k":"`, `"k"`}),
		rapid.Custom(func(t *rapid.T) string {
			member := rapid.SampledFrom([]string{`"a":1`, `"k":1`, `"k":"x"`, `"k" : "y"`, `"k":"\u0061"`, `"\u006b":"z"`,
				`"b":{"k":3}`, `"c":["k",{}]`, `"d":"k"`, `"e":"\"k\":4"`, `"f":"\\"`, `"k":{"a":1}`, `"kk":5`, `":":6`, `" ":":7"`, `",":":8"`})
			return "{" + strings.Join(rapid.SliceOfN(member, 0, 4).Draw(t, "members"), ",") + "}"
		}))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"bytes:0:8", "bytes:2:3", "bytes:0:9", "field:2:,", "json:k", "json:/k", "json:,", "json::", "json: "}).Draw(t, "selector")
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var data []byte
		var spans []uint64
		all := rapid.SliceOf(message).Draw(t, "messages")
		for _, m := range all {
			spans = append(spans, uint64(len(data))<<32|uint64(len(m)))
			data = append(data, m...)
		}
		hashes := make([]uint64, len(all))
		s.HashAll(hashes, data, spans)
		for i, m := range all {
			if want := hashBytes(s.Find([]byte(m))); hashes[i] != s.Hash([]byte(m)) || wellFormed([]byte(m)) && hashes[i] != want {
				t.Fatalf("%s in %q: hash %x, alone %x, of what Find returns %x", text, m, hashes[i], s.Hash([]byte(m)), want)
			}
		}
	})
}

// TestSelectorJSONObjects compares with encoding/json on objects that it has written.
func TestSelectorJSONObjects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOfN(rapid.String(), rapid.OneOf(
			rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny(),
			rapid.SliceOfN(rapid.String(), 0, 3).AsAny()), 1, 6).Draw(t, "members")
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for name := range m {
			compareJSON(t, text, name)
		}
	})
}

// TestSelectorJSONTexts compares with encoding/json on texts that are almost objects.
func TestSelectorJSONTexts(t *testing.T) {
	piece := rapid.SampledFrom([]string{"{", "}", "[", "]", ",", ":", `"a"`, `"a":`, `{"a":1}`, `"\u0061":`, `"a`,
		`"`, `\`, `\n`, `\ud800`, `\udc00`, "1", "0", "-", ".", "e", "true", "null", " ", "\n", "\x01", "é", "12345678"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(piece).Draw(t, "text"), "")
		if rapid.Bool().Draw(t, "inside") {
			text = `{"a":` + text + `}`
		}
		compareJSON(t, []byte(text), "a")
	})
}

func FuzzSelectorJSON(f *testing.F) {
	for _, text := range []string{`{"a":1}`, `{"a":"\u0061\ud83d\ude00\n","b":[{"a":1.5e-3},null,true]}`,
		`{"\u0061":"x","a":{}}`, `{"a":1,"a":"2"} `, `{"a":"\ud800"}`, `[1]`, `{"a":"0123456789abcdef"}`} {
		f.Add([]byte(text), "a")
	}
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		if name == "" || !utf8.ValidString(name) || strings.Contains(name, `\`) {
			return
		}
		compareJSON(t, text, name)
	})
}

// compareJSON compares a selector with encoding/json. That replaces bytes that are not UTF-8 by
// U+FFFD, also in names; texts with such bytes are compared after the same replacement, and by
// whether they are well-formed.
func compareJSON(t interface{ Fatalf(string, ...any) }, text []byte, name string) {
	s := Selector{
		kind: selectJSON, path: []step{{name: []byte(name), index: -1}}, member: newMemberName([]byte(name)),
	}
	got := s.Find(text)
	if string(s.Append(nil, text)) != string(got) {
		t.Fatalf("%q: Append does not agree with Find", text)
	}
	if hash := s.Hash(text); hash != hashBytes(got) && wellFormed(text) {
		t.Fatalf("%q: Hash does not agree with Find", text)
	}
	text = bytes.TrimPrefix(text, []byte(bom))
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil && got != nil {
		t.Fatalf("%q: found %q in what encoding/json calls %v", text, got, err)
	}
	raw, ok := members[name]
	if !utf8.Valid(text) {
		if got != nil && !ok {
			t.Fatalf("%q: found %q, encoding/json nothing", text, got)
		}
		return
	}
	if !ok {
		if got != nil {
			t.Fatalf("%q: found %q, encoding/json nothing", text, got)
		}
		return
	}
	want := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
	}
	if got == nil || string(got) != want {
		t.Fatalf("%q: found %q, want %q", text, got, want)
	}
}

// wellFormed reports whether text is one JSON text, perhaps after a BOM.
func wellFormed(text []byte) bool { return json.Valid(bytes.TrimPrefix(text, []byte(bom))) }

func BenchmarkSelectorHash(b *testing.B) {
	msg := []byte(`{"type":"trade","id":"A-1029384756","price":101.25,"size":300,"venue":"XNYS"}`)
	for _, text := range []string{"bytes:8:8", "bytes:0:64", "field:3:,", "json:type", "json:id", "json:venue", "json:/id"} {
		s, err := Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.SetBytes(int64(len(msg)))
			for b.Loop() {
				s.Hash(msg)
			}
		})
	}
}
