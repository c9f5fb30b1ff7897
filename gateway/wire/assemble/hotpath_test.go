package assemble

import (
	"strings"
	"testing"

	"feedgate/gateway/wire"
)

// decodeAll is a connection with open requests, of which each has size bytes of data, and a
// function that decodes text on it.
func decodeAll(t testing.TB, open, size int, text []byte) func() {
	c := mustNew(t, lines(t, ""), config()).NewConn()
	c.AppendHello(nil, wire.Hello{})
	in := wire.Input{Msgs: make([]wire.Msg, 0, 1024)}
	decode := func(text []byte) {
		in = wire.Input{Msgs: in.Msgs[:0], Side: in.Side[:0]}
		if err := c.Decode(text, &in); err != nil {
			t.Fatal(err)
		}
	}
	decode(nil)
	for id := range open {
		decode([]byte(chunk{ID: -id - 1, Data: strings.Repeat("x", size)}.String() + "\n"))
	}
	return func() {
		decode(text)
		if len(in.Msgs) != 100 || in.Scan != len(text) {
			t.Fatalf("%d messages, %d of %d bytes", len(in.Msgs), in.Scan, len(text))
		}
	}
}

// TestPassingThroughAllocatesNothing: a request of one part allocates nothing, even while others
// are open.
func TestPassingThroughAllocatesNothing(t *testing.T) {
	text := []byte(strings.Repeat(`{"id":"r\u00e9quest-1","data":"a\nb","end":true}`+"\n", 100))
	for _, open := range []int{0, 100} {
		if n := testing.AllocsPerRun(100, decodeAll(t, open, 0, text)); n != 0 {
			t.Errorf("with %d requests open: %v allocations for 100 messages", open, n)
		}
	}
}

func BenchmarkPassingThrough(b *testing.B) {
	text := []byte(strings.Repeat(`{"id":"request-1","data":"`+strings.Repeat("x", 64)+`","end":true}`+"\n", 100))
	for name, open := range map[string]int{"none open": 0, "some open": 100} {
		b.Run(name, func(b *testing.B) {
			decode := decodeAll(b, open, 0, text)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				decode()
			}
		})
	}
}

// BenchmarkJoining joins requests of two parts: while no open request fills Input.Side, and while
// one does, so that messages are decoded one by one.
func BenchmarkJoining(b *testing.B) {
	var text []byte
	for id := range 100 {
		text = append(text, chunk{ID: id, Data: strings.Repeat("x", 64)}.String()+"\n"...)
		text = append(text, chunk{ID: id, Data: strings.Repeat("y", 64), End: true}.String()+"\n"...)
	}
	for name, size := range map[string]int{"short": 1, "a long one open": wire.SideFull} {
		b.Run(name, func(b *testing.B) {
			decode := decodeAll(b, 1, size, text)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				decode()
			}
		})
	}
}
