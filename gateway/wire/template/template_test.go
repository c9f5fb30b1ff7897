package template

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"feedgate/worker"
)

func mustParse(t interface{ Fatalf(string, ...any) }, text string, where Where) *Template {
	tmpl, err := Parse(text, where)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return tmpl
}

func TestAppend(t *testing.T) {
	const n, code, msg = 0x0102030405060708, 1001, `{"id":"a\u0062","k":[1,2]},x,y`
	for text, want := range map[string]string{
		``:                          "",
		`plain`:                     "plain",
		`A{n}\n`:                    "A72623859790382856\n",
		`{n} {code}\r\n`:            "72623859790382856 1001\r\n",
		`\n\r\t\0\\\x41\xfF`:        "\n\r\t\x00\\A\xff",
		`{{n}`:                      "{n}",
		`{{{n:u8}}`:                 "{\x08}",
		`{{"ack":{code},"x":"}"}`:   `{"ack":1001,"x":"}"}`,
		`}}`:                        "}}",
		`é`:                         "é",
		`{n:u8}{n:u8be}{n:u8le}`:    "\x08\x08\x08",
		`{n:u16be}{n:u16le}`:        "\x07\x08\x08\x07",
		`{n:u32be}{n:u32le}`:        "\x05\x06\x07\x08\x08\x07\x06\x05",
		`{n:u64be}`:                 "\x01\x02\x03\x04\x05\x06\x07\x08",
		`{n:u64le}`:                 "\x08\x07\x06\x05\x04\x03\x02\x01",
		`{code:u8}{code:u16be}`:     "\xe9\x03\xe9",
		`{code:u32le}{code:u64be}`:  "\xe9\x03\x00\x00\x00\x00\x00\x00\x00\x00\x03\xe9",
		`<{bytes:2:2}>`:             "<id>",
		`<{bytes:2:2000}>`:          `<id":"a\u0062","k":[1,2]},x,y>`,
		`<{bytes:2000:2}>`:          "<>",
		`<{field:3:,}>`:             "<2]}>",
		`<{field:5:\x2c}>`:          "<y>",
		`<{field:6:,}>`:             "<>",
		`<{field:2:\x7d}>`:          "<,x,y>",
		`<{field:2:{}>`:             `<"id":"a\u0062","k":[1,2]},x,y>`,
		`<{json:id}>`:               "<>",
		`{bytes:0:1}{n}{bytes:1:1}`: `{72623859790382856"`,
	} {
		tmpl := mustParse(t, text, Ack)
		if got := tmpl.Append([]byte("+"), n, code, []byte(msg)); string(got) != "+"+want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		`{json:id}/{json:k}/{json:none}`:             `a\u0062/[1,2]/`,
		`{json:id:text}/{json:k:text}/{json:/k/1}`:   `ab/[1,2]/2`,
		`{json:text}{json:\x3atext}{json:/k/0:text}`: `1`,
	} {
		tmpl := mustParse(t, text, Ack)
		if got := tmpl.Append(nil, n, code, []byte(msg[:len(msg)-4])); string(got) != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestNeeds(t *testing.T) {
	for text, want := range map[string][2]bool{
		`A{n}\n`:          {false, false},
		`{n}{code:u16be}`: {false, true},
		`{bytes:0:1}`:     {true, false},
		`{field:1:,}`:     {true, false},
		`{json:a}{code}`:  {true, true},
	} {
		tmpl := mustParse(t, text, Ack)
		if tmpl.NeedsMessage() != want[0] || tmpl.Acks(worker.Refused) != want[1] || !tmpl.Acks(worker.OK) {
			t.Errorf("%s: NeedsMessage %v, acks refusals %v, acks successes %v",
				text, tmpl.NeedsMessage(), tmpl.Acks(worker.Refused), tmpl.Acks(worker.OK))
		}
	}
	if (*Template)(nil).Acks(worker.OK) {
		t.Error("acks without a template")
	}
}

func TestHelloAndHeartbeat(t *testing.T) {
	tmpl := mustParse(t, `LOGIN {token}\r\n{{`, Hello)
	if got := tmpl.AppendHello([]byte("+"), []byte("s3cret")); string(got) != "+LOGIN s3cret\r\n{" {
		t.Errorf("got %q", got)
	}
	if got := tmpl.AppendHello(nil, nil); string(got) != "LOGIN \r\n{" {
		t.Errorf("without a token got %q", got)
	}
	tmpl = mustParse(t, `PING\n`, Heartbeat)
	if got := tmpl.Append(nil, 0, 0, nil); string(got) != "PING\n" {
		t.Errorf("got %q", got)
	}
}

func TestParseFaults(t *testing.T) {
	for _, c := range []struct {
		text  string
		where Where
		want  string
	}{
		{`ab\q`, Ack, `byte 3: unknown escape \q;`},
		{`ab\`, Ack, `byte 3: unknown escape \;`},
		{`\x4`, Ack, `byte 1: unknown escape \x;`},
		{`\xg0`, Ack, `byte 1: unknown escape \x;`},
		{`\{`, Ack, `byte 1: unknown escape \{;`},
		{`ab{n`, Ack, "byte 3: { without }"},
		{`{`, Hello, "byte 1: { without }"},
		{`{n}{}`, Ack, "byte 4: placeholder {}: unknown;"},
		{`{N}`, Ack, "byte 1: placeholder {N}: unknown;"},
		{`{n:}`, Ack, "byte 1: placeholder {n:}: want nothing behind the name"},
		{`{n:u16}`, Ack, "byte 1: placeholder {n:u16}: want nothing behind the name"},
		{`{code:x}`, Ack, "byte 1: placeholder {code:x}: want nothing behind the name"},
		{`{bytes:1}`, Ack, "byte 1: placeholder {bytes:1}: selector"},
		{`{json}`, Ack, "NAME is missing"},
		{`{field:1:\q}`, Ack, `unknown escape \q;`},
		{`A{token}`, Ack, "byte 2: placeholder {token}: only --hello"},
		{`{token}`, Heartbeat, "byte 1: placeholder {token}: only --hello"},
		{`{token:x}`, Hello, "want {token}"},
		{`{n}`, Hello, "only an ack has a message"},
		{`{code}`, Hello, "only an ack has a message"},
		{`{bytes:0:1}`, Hello, "only an ack has a message"},
		{`{field:1:,}`, Heartbeat, "only an ack has a message"},
		{`{json:a}`, Heartbeat, "only an ack has a message"},
		{`{n:u8}`, Heartbeat, "only an ack has a message"},
	} {
		_, err := Parse(c.text, c.where)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.text, err, c.want)
		}
	}
}

func TestAppendRun(t *testing.T) {
	for _, text := range []string{``, `A`, `{n}`, `A{n}\n`, `{n}{n}`, `{code} {n}:{code}\n`, `{n:u16be}{code:u16be}`} {
		tmpl := mustParse(t, text, Ack)
		for _, n := range []uint64{0, 1, 5, 8, 99, 989, 999999, math.MaxUint64 - 24} {
			for count := range 24 {
				compareRun(t, tmpl, n, count, 7)
			}
		}
	}
}

func compareRun(t interface{ Fatalf(string, ...any) }, tmpl *Template, n uint64, count int, code uint16) {
	want := []byte("+")
	for i := range count {
		want = tmpl.Append(want, n+uint64(i), code, nil)
	}
	if got := tmpl.AppendRun([]byte("+"), n, count, code); string(got) != string(want) {
		t.Fatalf("%d acks from %d: got %q, want %q", count, n, got, want)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	dst, msg := make([]byte, 0, 4096), []byte(`{"id":"\u00e9t\u00e9","n":1}`)
	for _, text := range []string{`A{n}\n`, `{n:u64be}{code:u16be}`, `{json:id} {bytes:1:3} {field:2:,} {n} {code}`} {
		tmpl := mustParse(t, text, Ack)
		if n := testing.AllocsPerRun(100, func() {
			tmpl.Append(dst, 1<<40, 7, msg)
			tmpl.AppendRun(dst, 95, 100, 7)
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

// TestTemplateAgainstReference renders templates put together at random in two
// ways.
func TestTemplateAgainstReference(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "é", `\n`, `\\`, `\x7d`, `\x`, `\`, "{{", "{", "}", "{n}", "{code}", "{n:u8}",
		"{n:u16le}", "{n:u32be}", "{code:u16be}", "{code:u64le}", "{bytes:0:3}", "{field:2:,}", `{field:2:\x2c}`, "{json:a}", "{json:a:text}", "{json:/a:text}",
		"{json:text}", "{token}", "{x}"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(piece).Draw(t, "template"), "")
		msg := rapid.SampledFrom([]string{"", "a,b,c", `{"a":"\u0062"}`}).Draw(t, "msg")
		compareTemplate(t, text, rapid.Uint64().Draw(t, "n"), rapid.Uint16().Draw(t, "code"), msg)
	})
}

func FuzzTemplate(f *testing.F) {
	for _, text := range []string{`A{n}\n`, `{{"ack":"{json:id}","code":{code}}`, `{n:u64be}{code:u16be}`, `\x00\\{bytes:0:4}`,
		`{field:2:\t}}{{`, `{token}`, `{n`, `\q`} {
		f.Add(text, uint64(99), uint16(7), "x\ty")
	}
	f.Fuzz(func(t *testing.T, text string, n uint64, code uint16, msg string) {
		compareTemplate(t, text, n, code, msg)
		for _, where := range []Where{Hello, Heartbeat} {
			if tmpl, err := Parse(text, where); err == nil {
				tmpl.AppendHello(nil, []byte(msg))
				tmpl.Append(nil, n, code, nil)
			}
		}
	})
}

func BenchmarkAppendRun(b *testing.B) {
	const count = 1000
	for _, text := range []string{`A{n}\n`, `{n:u64be}{code:u16be}`, `{n}\t{code}\n`} {
		b.Run(text, func(b *testing.B) {
			tmpl := mustParse(b, text, Ack)
			dst := make([]byte, 0, 64<<10)
			n := uint64(1234567)
			for b.Loop() {
				tmpl.AppendRun(dst, n, count, 0)
				n += count
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/ack")
		})
	}
}
