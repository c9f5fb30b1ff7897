package toy

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
)

// reference decodes a whole stream, one frame at a time and with no thought of speed. It
// describes it as the function describe does, and the error by its reason.
func reference(stream []byte) (all, reason string) {
	var out []string
	ready, credit, seq := false, 0, 0
	for len(stream) >= frameHead {
		kind, rest := stream[4], stream[5:]
		body := int(binary.BigEndian.Uint32(stream)) - 1
		from := strings.IndexByte("PQZ", kind) >= 0 || kind == 'M' && ready || (kind == 'O' || kind == 'R') && !ready
		switch {
		case strings.IndexByte("LORMACPQZ", kind) < 0:
			reason = wire.UnknownOp
		case body < 0:
			reason = wire.BadLength
		case !from:
			reason = wire.UnexpectedOp
		case kind == 'M' && body < 9:
			reason = wire.BadLength
		case kind == 'M' && credit == 0:
			reason = "toy"
		case kind == 'M' && len(rest) >= 9 && body < 9+int(rest[8]):
			reason = wire.BadLength
		case kind != 'M' && body > maxControl:
			reason = wire.TooLarge
		}
		if reason != "" || len(rest) < body {
			break
		}
		rest, stream = rest[:body], rest[body:]
		switch kind {
		case 'O':
			if body != 2 {
				return strings.Join(out, " "), wire.BadLength
			}
			if credit = min(int(binary.BigEndian.Uint16(rest)), testCredit); credit == 0 {
				return strings.Join(out, " "), "toy"
			}
			ready = true
			out = append(out, "ready")
		case 'R':
			return strings.Join(out, " "), wire.Login
		case 'Z':
			return strings.Join(append(out, "close"), " "), ""
		case 'M':
			credit--
			seq++
			topic, data := rest[9:9+int(rest[8])], rest[9+int(rest[8]):]
			if len(data) > testMax {
				out = append(out, fmt.Sprintf("%d:code3", seq))
			} else {
				out = append(out, fmt.Sprintf("%d:%d/%s/%s", seq, binary.BigEndian.Uint64(rest), topic, data))
			}
		}
	}
	return strings.Join(out, " "), reason
}

const testCredit = 4

// FuzzDecode: any stream, arriving in any way, gives what the reference decoder finds.
func FuzzDecode(f *testing.F) {
	big := strings.Repeat("b", testMax+1)
	for _, stream := range [][]byte{
		accepted(msg(9, "a", "x"), frame(Ping, ""), msg(5, "topic", ""), frame(Goodbye, ""), msg(1, "", "")),
		accepted(msg(9, "a", big), msg(5, "", "x"), msg(6, "t", big)),
		accepted(msg(1, "", ""), msg(2, "", ""), msg(3, "", ""), msg(4, "", ""), msg(5, "", "")),
		frame(Accepted, "\x00\x00"),
		frame(Refused, "no"),
		accepted([]byte{0, 0, 0, 12, 'M', 0, 0, 0, 0, 0, 0, 0, 1, 9, 'a', 'b'}),
	} {
		f.Add(stream, []byte{1, 2, 3})
		f.Add(stream, []byte{200, 0, 9})
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		codec := testCodec(t, true, testCredit)
		plan := wiretest.FromBytes(cuts).WithLimit(codec.Overhead + testMax)
		r := wiretest.Run(t, codec.NewConn(), stream, plan)
		got, gotReason := describe(r), reason(r.Err)
		if want, wantReason := reference(stream); got != want || gotReason != wantReason {
			t.Fatalf("%s, %q; want %s, %q", got, gotReason, want, wantReason)
		}
	})
}

// stream is a feed of n messages, and a connection that has the credit for them.
func feed(t testing.TB, heads bool, n int) (*conn, []byte) {
	c := testCodec(t, heads, n).NewConn().(*conn)
	c.login(n, new(wire.Input))
	var stream []byte
	for i := range n {
		stream = AppendMessage(stream, uint64(i), "topic", strings.Repeat("x", 64))
	}
	return c, stream
}

// decode decodes a feed from its beginning and acks it.
func decode(t testing.TB, c *conn, stream []byte, in *wire.Input, out []byte) {
	in.Start, in.Keep, in.Scan = 0, 0, 0
	for in.Scan < len(stream) {
		in.Msgs = in.Msgs[:0]
		if err := c.Decode(stream, in); err != nil {
			t.Fatal(err)
		}
		c.AppendAcks(out, in.Msgs[0].Seq, len(in.Msgs), 0)
	}
}

func TestAllocations(t *testing.T) {
	for _, heads := range []bool{false, true} {
		c, stream := feed(t, heads, 1000)
		in := wire.Input{Msgs: make([]wire.Msg, 0, 512)}
		out := make([]byte, 0, 64<<10)
		if n := testing.AllocsPerRun(100, func() { decode(t, c, stream, &in, out) }); n != 0 {
			t.Errorf("heads %v: %v allocations", heads, n)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	const n = 1000
	c, stream := feed(b, false, n)
	in := wire.Input{Msgs: make([]wire.Msg, 0, 512)}
	out := make([]byte, 0, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		decode(b, c, stream, &in, out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/msg")
}
