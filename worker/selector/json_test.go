package selector

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestFindMembers compares with encoding/json, one pass for several names.
func TestFindMembers(t *testing.T) {
	names := [][]byte{[]byte("a"), []byte("b"), []byte(`"é\`)}
	member := rapid.Custom(func(t *rapid.T) string {
		name := rapid.SampledFrom([]string{`"a"`, `"b"`, `"\u0061"`, `"\"é\\"`, `"\"\u00e9\\"`, `"c"`, `""`}).Draw(t, "name")
		value := rapid.SampledFrom([]string{`1`, `-0.5e3`, `true`, `null`, `""`, `"x"`, `"\ud83d\ude00\n"`, `{"a":"no"}`, `[{"b":1}]`, `x`})
		space := rapid.SampledFrom([]string{"", " ", "\t\n\r "})
		return space.Draw(t, "space") + name + space.Draw(t, "space") + ":" + space.Draw(t, "space") +
			value.Draw(t, "value") + space.Draw(t, "space")
	})
	rapid.Check(t, func(t *rapid.T) {
		text := "{" + strings.Join(rapid.SliceOf(member).Draw(t, "members"), ",") + "}" +
			rapid.SampledFrom([]string{"", "", " ", "\n", "}", "1"}).Draw(t, "tail")
		msg := []byte(text)
		var want map[string]json.RawMessage
		valid := json.Unmarshal(msg, &want) == nil
		values := []JSONValue{{1, 2, true}, {1, 2, true}, {1, 2, true}} // left from before
		if found := FindMembers(msg, names, values); found != valid {
			t.Fatalf("%s: %v, encoding/json: valid %v", text, found, valid)
		}
		for i, name := range names {
			v, raw := values[i], want[string(name)]
			if !valid || v.End == 0 && raw == nil {
				continue
			}
			if string(msg[v.Start:v.End]) != string(raw) {
				t.Fatalf("%s: %s is %s, want %s", text, name, msg[v.Start:v.End], raw)
			}
			if raw[0] != '"' {
				continue
			}
			var decoded string
			if err := json.Unmarshal(raw, &decoded); err != nil {
				t.Fatal(err)
			}
			if got := v.AppendString([]byte("+"), msg); string(got) != "+"+decoded || v.Escaped != strings.Contains(string(raw), `\`) {
				t.Fatalf("%s: %s is decoded to %q, want %q", text, name, got, decoded)
			}
		}
	})
}

func TestFindMembersDoesNotAllocate(t *testing.T) {
	msg := []byte(`{"id":"0123456789\u00e9","end":true,"data":"a\nb","x":[{"id":1}]}`)
	names := [][]byte{[]byte("id"), []byte("end"), []byte("data")}
	dst := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		var values [3]JSONValue
		if !FindMembers(msg, names, values[:]) {
			t.Fatal("no object")
		}
		values[0].AppendString(dst, msg)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
