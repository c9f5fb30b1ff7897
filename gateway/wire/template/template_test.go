package template

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"feedgate/gateway/internal/pool"
	"feedgate/worker/selector"

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
		if got := tmpl.Append([]byte("+"), worker.Message{Seq: n, Data: []byte(msg)}, code); string(got) != "+"+want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		`{json:id}/{json:k}/{json:none}`:             `a\u0062/[1,2]/`,
		`{json:id:text}/{json:k:text}/{json:/k/1}`:   `ab/[1,2]/2`,
		`{json:text}{json:\x3atext}{json:/k/0:text}`: `1`,
	} {
		tmpl := mustParse(t, text, Ack)
		if got := tmpl.Append(nil, worker.Message{Seq: n, Data: []byte(msg[:len(msg)-4])}, code); string(got) != want {
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
		`{meta:a}{n}`:     {true, false},
		`{id}{code}`:      {true, true},
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
	if got := tmpl.Append(nil, worker.Message{}, 0); string(got) != "PING\n" {
		t.Errorf("got %q", got)
	}
}

// number is the metadata of messages of which n is the number.
var number = &worker.Metadata{
	Names: []string{"n", "head"},
	Append: func(dst []byte, m worker.Message, name string) []byte {
		switch name {
		case "n":
			dst = strconv.AppendUint(dst, m.Seq, 10)
		case "head":
			dst = append(dst, m.Head()...)
		}
		return dst
	},
	AppendID: func(dst []byte, m worker.Message) []byte { return append(dst, m.Session()...) },
	Split: func(frame []byte) (head, data []byte) {
		return frame[:min(2, len(frame))], frame[min(2, len(frame)):]
	},
}

func TestOutput(t *testing.T) {
	id, err := selector.Parse("json:k")
	if err != nil {
		t.Fatal(err)
	}
	o := &worker.Origin{Session: "s", Meta: number}
	picked := &worker.Origin{Session: "s", Meta: number, ID: &id}
	const frame = `ab{"k":"x\ny"}`
	for text, want := range map[string]string{
		`{data}`:                  `{"k":"x\ny"}`,
		`{data}{data}`:            `{"k":"x\ny"}{"k":"x\ny"}`,
		`{n} {n:u16be}\n`:         "7 \x00\x07\n",
		`{meta:n}-{meta:head}`:    "7-ab",
		`{meta:other}{meta:\x6e}`: "7",
		`<{json:k}>`:              `<x\ny>`,
		`<{json:k:text}>`:         "<x\ny>",
		`{{{id}}`:                 "{s}",
		`plain`:                   "plain",
	} {
		tmpl := mustParse(t, text, Output)
		if got := tmpl.Append([]byte("+"), o.Message([]byte(frame), 7, 0), 0); string(got) != "+"+want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	// An id from JSON is copied as {json:k} is, so that it cannot end an ack.
	for _, where := range []Where{Ack, Output} {
		tmpl := mustParse(t, `{id} {meta:n}\n`, where)
		if got := tmpl.Append(nil, picked.Message([]byte(frame), 7, 0), 0); string(got) != `x\ny 7`+"\n" {
			t.Errorf("%d: got %q", where, got)
		}
		if names := tmpl.MetaNames(); len(names) != 1 || names[0] != "n" || !tmpl.HasID() || tmpl.Quotes() != 2 {
			t.Errorf("names %q, id %v, quotes %d", names, tmpl.HasID(), tmpl.Quotes())
		}
	}
	if tmpl := mustParse(t, `{n}`, Output); tmpl.NeedsMessage() || tmpl.HasID() || tmpl.Quotes() != 0 || tmpl.MetaNames() != nil {
		t.Error("{n} needs more than the number")
	}
	m := worker.Message{Data: []byte("data"), Seq: 7}
	if got := mustParse(t, `{data}{id}{meta:n}`, Output).Append(nil, m, 0); string(got) != "data" {
		t.Errorf("without metadata: %q", got)
	}
}

func TestParseFaults(t *testing.T) {
	for _, c := range []struct {
		text  string
		where Where
		want  string
	}{
		{`ab\q`, Ack, `byte 3: unknown escape \q;`},
		{`ab\`, Ack, `byte 3: a backslash at the end`},
		{`\x4`, Ack, `byte 1: unknown escape \x;`},
		{`\xg0`, Ack, `byte 1: unknown escape \x;`},
		{`\{`, Ack, `byte 1: unknown escape \{;`},
		{`ab{n`, Ack, "byte 3: { without }"},
		{`{`, Hello, "byte 1: { without }"},
		{`{n}{}`, Ack, "byte 4: placeholder {}: unknown;"},
		{`{N}`, Ack, "byte 1: placeholder {N}: unknown;"},
		{`{"password":"s3cret"}`, Hello, "byte 1: placeholder {...}: unknown;"},
		{`{password:s3cret}`, Hello, "byte 1: placeholder {password:...}: unknown;"},
		{`{n:}`, Ack, "byte 1: placeholder {n:}: want nothing after the name"},
		{`{n:u16}`, Ack, "byte 1: placeholder {n:u16}: want nothing after the name"},
		{`{code:x}`, Ack, "byte 1: placeholder {code:x}: want nothing after the name"},
		{`{bytes:1}`, Ack, "byte 1: placeholder {bytes:1}: selector"},
		{`{json}`, Ack, "NAME is missing"},
		{`{field:1:\q}`, Ack, `unknown escape \q;`},
		{`A{token}`, Ack, "byte 2: placeholder {token}: only --hello"},
		{`{token}`, Heartbeat, "byte 1: placeholder {token}: only --hello"},
		{`{token:x}`, Hello, "want {token}"},
		{`{n}`, Hello, "no message to take it from"},
		{`{code}`, Hello, "no message to take it from"},
		{`{bytes:0:1}`, Hello, "no message to take it from"},
		{`{field:1:,}`, Heartbeat, "no message to take it from"},
		{`{json:a}`, Heartbeat, "no message to take it from"},
		{`{n:u8}`, Heartbeat, "no message to take it from"},
		{`{id}`, Hello, "no message to take it from"},
		{`{meta:a}`, Heartbeat, "no message to take it from"},
		{`{meta:}`, Ack, "NAME is missing"},
		{`{id:a}`, Ack, "want nothing after the name"},
		{`{data:a}`, Output, "want nothing after the name"},
		{`{data}`, Ack, "only --output has the data"},
		{`{data}`, Hello, "only --output has the data"},
		{`{code}`, Output, "only an ack has a code"},
		{`{code:u8}`, Output, "only an ack has a code"},
		{`{token}`, Output, "only --hello"},
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
		want = tmpl.Append(want, worker.Message{Seq: n + uint64(i)}, code)
	}
	if got := tmpl.AppendRun([]byte("+"), n, count, code); string(got) != string(want) {
		t.Fatalf("%d acks from %d: got %q, want %q", count, n, got, want)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	dst, msg := make([]byte, 0, 4096), []byte(`{"id":"\u00e9t\u00e9","n":1}`)
	slab := pool.NewSlabs(1, func(uint16) {}).At(0)
	slab.Data, slab.Origin = []byte("ab"+string(msg)), &worker.Origin{Session: "s", Meta: number}
	output := mustParse(t, `{id} {meta:n} {meta:head} {data}`, Output)
	if n := testing.AllocsPerRun(100, func() {
		output.Append(dst, slab.Message(pool.Span(0, uint32(len(slab.Data))), 9, 0), 0)
	}); n != 0 {
		t.Errorf("output: %v allocations", n)
	}
	for _, text := range []string{`A{n}\n`, `{n:u64be}{code:u16be}`, `{json:id} {bytes:1:3} {field:2:,} {n} {code}`} {
		tmpl := mustParse(t, text, Ack)
		if n := testing.AllocsPerRun(100, func() {
			tmpl.Append(dst, worker.Message{Seq: 1 << 40, Data: msg}, 7)
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
		"{json:text}", "{token}", "{x}", "{id}", "{id:x}", "{meta:x}", "{data}"})
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
		for _, where := range []Where{Hello, Heartbeat, Output} {
			if tmpl, err := Parse(text, where); err == nil {
				tmpl.AppendHello(nil, []byte(msg))
				tmpl.Append(nil, worker.Message{Seq: n}, code)
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
