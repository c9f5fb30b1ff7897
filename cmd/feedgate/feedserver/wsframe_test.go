package feedserver

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// received records the calls of a codec to its receiver.
type received struct {
	acked   []uint64
	replies []byte
	byes    []uint16
}

func (r *received) login(hello) error { return nil }
func (r *received) acksTo(uint64)     { panic("WebSocket has no cumulative acks") }
func (r *received) bye(code uint16)   { r.byes = append(r.byes, code) }
func (r *received) acks(seq, n uint64, code uint16) {
	if code != 0 {
		panic("acks of WebSocket have no code")
	}
	for ; n > 0; n-- {
		r.acked = append(r.acked, seq)
		seq++
	}
}
func (r *received) reply(frame func([]byte) []byte) { r.replies = frame(r.replies) }

// readIn lets a new codec, after its handshake, read b in pieces of the given sizes, in turn.
func readIn(b []byte, sizes ...int) (r received, err error) {
	c := &wsCodec{asked: true}
	c.start(1)
	b = slices.Clone(b)
	for i := 0; len(b) > 0 && err == nil; i++ {
		k := min(len(b), sizes[i%len(sizes)])
		err = c.read(b[:k], &r)
		clear(b[:k]) // the codec must not keep the buffer
		b = b[k:]
	}
	return r, err
}

// TestWSSplit: the codec reports the frames of a stream, however it is split into reads.
func TestWSSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want received
		for range rapid.IntRange(1, 40).Draw(t, "frames") {
			mask := rapid.Uint32().Draw(t, "mask")
			n := rapid.Uint64Range(1, 1<<62).Draw(t, "n") >> rapid.IntRange(0, 61).Draw(t, "shift")
			text := fmt.Sprint("A", n)
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				ping := rapid.SliceOfN(rapid.Byte(), 0, 125).Draw(t, "ping")
				stream = append(stream, wsMasked(0x89, ping, mask)...)
				want.replies = appendWSFrame(want.replies, 0x8a, ping)
			case 1:
				life := append([]byte{'-'}, rapid.SliceOfN(rapid.ByteMax(0x7f), 0, 300).Draw(t, "life")...)
				stream = append(stream, wsMasked(0x81, life, mask)...)
			case 2:
				at := rapid.IntRange(0, len(text)).Draw(t, "at")
				stream = append(stream, wsMasked(0x01, []byte(text[:at]), mask)...)
				stream = append(stream, wsMasked(0x8a, nil, mask)...)
				stream = append(stream, wsMasked(0x80, []byte(text[at:]), ^mask)...)
				want.acked = append(want.acked, n)
			default:
				stream = append(stream, wsMasked(rapid.SampledFrom([]byte{0x81, 0x82}).Draw(t, "type"), []byte(text), mask)...)
				want.acked = append(want.acked, n)
			}
		}
		if rapid.Bool().Draw(t, "close") {
			stream = append(stream, wsMasked(0x88, []byte{0x0b, 0xb8}, 7)...)
			stream = append(stream, "ignored"...)
			want.byes = []uint16{3000}
		}
		sizes := rapid.SliceOfN(rapid.IntRange(1, 64), 1, 8).Draw(t, "sizes")
		for _, sizes := range [][]int{sizes, {1}, {len(stream)}} {
			got, err := readIn(stream, sizes...)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("in pieces of %v: %+v, %v\nwant %+v", sizes, got, err, want)
			}
		}
	})
}

// FuzzWSFrames: the codec reports the same for any input, whether it is read at once or byte by
// byte.
func FuzzWSFrames(f *testing.F) {
	f.Add(wsAck(12345678))
	f.Add(append(wsAck(1), wsMasked(0x89, []byte("ping"), 99)...))
	f.Add(append(wsMasked(0x01, []byte("A"), 1), wsMasked(0x80, []byte("7"), 2)...))
	f.Add(wsMasked(0x88, []byte{3, 232, 'o', 'k'}, 3))
	f.Add(wsMasked(0x82, make([]byte, 70000), 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		whole, err := readIn(b, len(b))
		bytewise, err1 := readIn(b, 1)
		if !reflect.DeepEqual(whole, bytewise) || fmt.Sprint(err) != fmt.Sprint(err1) {
			t.Errorf("%+v, %v; byte by byte %+v, %v", whole, err, bytewise, err1)
		}
	})
}

// counter counts acks.
type counter struct {
	received
	n uint64
}

func (c *counter) acks(_, n uint64, _ uint16) { c.n += n }

// TestWSAllocs: neither reading an ack nor rendering a message allocates.
func TestWSAllocs(t *testing.T) {
	var many []byte
	for n := range uint64(1000) {
		many = append(many, wsAck(n+1)...)
	}
	one := wsAck(7)
	c, got := &wsCodec{asked: true}, &counter{}
	c.start(1)
	st, err := newStream(synthetic(64, 16), &wsProtocol{fragments: 1})
	if err != nil {
		t.Fatal(err)
	}
	var b batch
	if allocs := testing.AllocsPerRun(100, func() {
		for _, bytes := range [][]byte{many, one, many[:20], many[20:]} {
			if err := c.read(bytes, got); err != nil {
				t.Fatal(err)
			}
		}
		c.render(&b, st, 1, 1000, batchBytes)
	}); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
	if got.n != 101*2001 || b.n != 1000 {
		t.Errorf("%d acks, %d messages", got.n, b.n)
	}
}
