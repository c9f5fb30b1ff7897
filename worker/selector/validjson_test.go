package selector

import (
	"encoding/json"
	"strings"
	"testing"
)

// texts are valid and malformed JSON texts.
var texts = []string{
	"", " ", "1", " 1 ", "-", "-0", "01", "1.", "1.5e+3", "1e", "true", "tru", "truee", "null", "nul", "false", "\"", `""`,
	`"a`, "\"\t\"", `"\u12g4"`, `"\u1234"`, `"\q"`, `"\`, "[", "[]", "[1,]", "[,1]", "[1,2]", "[1 2]", "{", "{}", `{"a":1}`, `{"a"}`,
	`{"a":1,}`, `{1:1}`, `{"a":[{"b":null}]}`, "{}{}", "1 2", "\ufeff1", "\xff", "\"\xff\"", "\x00", `{"a":1}` + "\n", "[1]\x00",
	strings.Repeat("[", 10000) + strings.Repeat("]", 10000), strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
	strings.Repeat(`{"a":`, 9999) + "[]" + strings.Repeat("}", 9999),
}

func TestValidJSON(t *testing.T) {
	for _, text := range texts {
		if got, want := ValidJSON([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Errorf("%.40q: %v, want %v", text, got, want)
		}
	}
	text := []byte(`{"id":17,"name":"a \"quoted\" text","list":[1.5,true,null]}`)
	if n := testing.AllocsPerRun(100, func() { ValidJSON(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzValidJSON(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := ValidJSON(text), json.Valid(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	})
}

func BenchmarkValidJSON(b *testing.B) {
	text := []byte(`{"id":17000,"user":"u-0017","amount":12.50,"note":"sixty-four b"}`)
	for name, valid := range map[string]func([]byte) bool{"ours": ValidJSON, "encoding/json": json.Valid} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				valid(text)
			}
		})
	}
}
