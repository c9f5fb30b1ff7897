package toy

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
)

// reference decodes a whole stream, one frame at a time and regardless of speed. It
// describes the stream as the function describe does, and an error by its reason.
func reference(stream []byte) (all, reason string) {
	var r referenceConn
	for len(stream) >= frameHead && reason == "" && !r.closed {
		kind, body := stream[4], stream[5:]
		size := int(binary.BigEndian.Uint32(stream)) - 1
		if reason = r.check(kind, body, size); len(body) < size {
			break
		}
		if reason == "" {
			reason = r.frame(kind, body[:size])
			stream = body[size:]
		}
	}
	return strings.Join(r.all, " "), reason
}

type referenceConn struct {
	all           []string
	ready, closed bool
	credit, seq   int
}

// check returns the fault of a frame with a body of size bytes, of which body has arrived.
func (r *referenceConn) check(kind byte, body []byte, size int) (reason string) {
	switch {
	case size < 0:
		return wire.BadLength
	case !strings.ContainsRune("LORMACPQZ", rune(kind)):
		return wire.UnknownOp
	case !r.ready && !strings.ContainsRune("ORPQZ", rune(kind)), r.ready && !strings.ContainsRune("MPQZ", rune(kind)):
		return wire.UnexpectedOp
	case kind != 'M' && size > maxControl:
		return wire.TooLarge
	case kind == 'M' && r.credit == 0:
		return "toy"
	case kind == 'M' && size < 9, kind == 'M' && len(body) >= 9 && size < 9+int(body[8]):
		return wire.BadLength
	case kind == 'M' && len(body) >= 9 && size-9-int(body[8]) > 64<<20:
		return wire.TooLarge
	}
	return ""
}

func (r *referenceConn) frame(kind byte, body []byte) (reason string) {
	switch kind {
	case 'O':
		if len(body) != 2 {
			return wire.BadLength
		}
		if r.credit = min(int(binary.BigEndian.Uint16(body)), testCredit); r.credit == 0 {
			return "toy"
		}
		r.ready = true
		r.all = append(r.all, "ready")
	case 'R':
		return wire.Login
	case 'Z':
		r.closed = true
		r.all = append(r.all, "close")
	case 'M':
		r.credit--
		r.seq++
		topic, data := body[9:9+int(body[8])], body[9+int(body[8]):]
		if len(data) > testMax {
			r.all = append(r.all, fmt.Sprintf("%d:code3", r.seq))
		} else {
			r.all = append(r.all, fmt.Sprintf("%d:%d/%s/%s", r.seq, binary.BigEndian.Uint64(body), topic, data))
		}
	}
	return ""
}

const testCredit = 4

// FuzzDecode: any stream, however it arrives, has the result of the reference decoder.
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

// feed makes a stream of n messages, and a connection with credit for them.
func feed(t testing.TB, heads bool, n int) (*conn, []byte) {
	c := testCodec(t, heads, n).NewConn().(*conn)
	c.login(n, new(wire.Input))
	var stream []byte
	for i := range n {
		stream = AppendMessage(stream, uint64(i), "topic", strings.Repeat("x", 64))
	}
	return c, stream
}

// decode decodes a feed and acks its messages.
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
