package assemble

import (
	"strings"
	"testing"

	"feedgate/gateway/wire"
)

// decodeAll is a connection with open IDs, and a function that decodes text on it.
func decodeAll(t testing.TB, open int, text []byte) func() {
	c := mustNew(t, lines(t, ""), config()).NewConn()
	c.Open(nil, wire.Resume{})
	in := wire.Input{Msgs: make([]wire.Msg, 0, 1024)}
	decode := func(text []byte) {
		in = wire.Input{Msgs: in.Msgs[:0]}
		for {
			in.Event = wire.Event{}
			if err := c.Decode(text, &in); err != nil {
				t.Fatal(err)
			}
			if in.Event.Kind == wire.EventNone {
				break
			}
		}
	}
	decode(nil)
	for id := range open {
		decode([]byte(chunk{ID: -id - 1}.String() + "\n"))
	}
	return func() {
		decode(text)
		if len(in.Msgs) != 100 || in.Scan != len(text) {
			t.Fatalf("%d messages, %d of %d bytes", len(in.Msgs), in.Scan, len(text))
		}
	}
}

// TestPassingThroughAllocatesNothing holds requests of one part to that, among others
// that are open too.
func TestPassingThroughAllocatesNothing(t *testing.T) {
	text := []byte(strings.Repeat(`{"id":"r\u00e9quest-1","data":"a\nb","end":true}`+"\n", 100))
	for _, open := range []int{0, 100} {
		if n := testing.AllocsPerRun(100, decodeAll(t, open, text)); n != 0 {
			t.Errorf("with %d requests open: %v allocations for 100 messages", open, n)
		}
	}
}

func BenchmarkPassingThrough(b *testing.B) {
	text := []byte(strings.Repeat(`{"id":"request-1","data":"`+strings.Repeat("x", 64)+`","end":true}`+"\n", 100))
	for name, open := range map[string]int{"none open": 0, "some open": 100} {
		b.Run(name, func(b *testing.B) {
			decode := decodeAll(b, open, text)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				decode()
			}
		})
	}
}
