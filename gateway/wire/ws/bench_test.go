package ws

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name string
		op   opcode
		unit string
		size int
	}{
		{"text 64", opText, "x", 64},
		{"text 64 of two bytes each", opText, "\u00e9", 64},
		{"text 16", opText, "x", 16},
		{"text 1024", opText, "x", 1024},
		{"binary 64", opBinary, "x", 64},
		{"binary 1024", opBinary, "x", 1024},
	} {
		b.Run(c.name, func(b *testing.B) {
			var stream []byte
			for range 64 << 10 / c.size {
				stream = append(stream, finBit|byte(c.op))
				if c.size > maxControl {
					stream = append(stream, length16, byte(c.size>>8), byte(c.size))
				} else {
					stream = append(stream, byte(c.size))
				}
				stream = append(stream, bytes.Repeat([]byte(c.unit), c.size/len(c.unit))...)
			}
			conn := &conn{p: &protocol{limit: 1 << 20}, phase: open}
			in := wire.Input{Msgs: make([]wire.Msg, 0, 4096)}
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			for b.Loop() {
				in.Msgs, in.Start, in.Keep, in.Scan = in.Msgs[:0], 0, 0, 0
				if err := conn.Decode(stream, &in); err != nil || in.Scan != len(stream) {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(in.Msgs)), "ns/msg")
		})
	}
}

func BenchmarkRender(b *testing.B) {
	for _, template := range []string{`A{n}`, `{n:u64be}{code:u16be}`, `{{"id":{json:id},"ok":true}`} {
		b.Run(template, func(b *testing.B) {
			p, err := New(Config{AckTemplate: template, MaxMessage: 1 << 20})
			if err != nil {
				b.Fatal(err)
			}
			m := worker.Message{Seq: 123456789, Tag: textTag, Data: []byte(`{"id":4711,"text":"hello"}`)}
			dst := make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				dst = p.Render(dst[:0], m, worker.OK)
			}
		})
	}
}

func BenchmarkValid(b *testing.B) {
	for _, n := range []int{8, 16, 24, 40, 64, 100, 1024} {
		text := bytes.Repeat([]byte("x"), n)
		b.Run(fmt.Sprint("own ", n), func(b *testing.B) {
			for b.Loop() {
				validText(text)
			}
		})
		b.Run(fmt.Sprint("std ", n), func(b *testing.B) {
			for b.Loop() {
				utf8.Valid(text)
			}
		})
	}
}

func BenchmarkAppendAcks(b *testing.B) {
	p, err := New(Config{AckTemplate: "A{n}", MaxMessage: 1 << 20, InFlight: 4096})
	if err != nil {
		b.Fatal(err)
	}
	c := p.NewConn().(*conn)
	c.kinds.seen = textOnly
	dst := make([]byte, 0, 64<<10)
	b.ReportAllocs()
	for i := 0; i < b.N; i += 512 {
		dst = c.AppendAcks(dst[:0], 12_345_678+uint64(i), 512, worker.OK)
	}
}
