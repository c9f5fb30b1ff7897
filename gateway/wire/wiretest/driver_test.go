package wiretest

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// chunks is a protocol whose messages are chunks joined in place. A chunk is a digit, 0 to 9, and
// as many bytes. A chunk of 0 ends a message; '=' also ends one, and puts it in Input.Side. '!'
// is answered at once, '?' refuses the message begun, '.' is the close.
type chunks struct {
	wire.Conn
	ready bool
	seq   uint64
}

func (c *chunks) AppendHello(dst []byte, r wire.Hello) []byte {
	return append(dst, "hello"+r.Client...)
}

func (c *chunks) End(buf []byte, in *wire.Input, _ bool) *wire.Error {
	if rest := in.Keep - in.Start + len(buf) - in.Scan; rest > 0 {
		return wire.Errorf(wire.Truncated, wire.CloseBadRequest, "%d bytes", rest)
	}
	return nil
}

func (c *chunks) Decode(buf []byte, in *wire.Input) *wire.Error {
	in.Need = 0
	if !c.ready {
		c.ready = true
		in.Event.Kind = wire.EventReady
		return nil
	}
	for !in.Full() && in.Scan < len(buf) {
		switch b := buf[in.Scan]; {
		case b == '!':
			in.Out = append(in.Out, '!')
			in.Scan++
		case b == '.':
			in.Scan++
			in.Event = wire.Event{Kind: wire.EventClose}
			return nil
		case b == '0':
			c.emit(in, wire.Msg{Off: uint32(in.Start), Len: uint32(in.Keep - in.Start)})
		case b == '=':
			m := wire.Msg{Side: true, Off: uint32(len(in.Side)), Len: uint32(in.Keep - in.Start)}
			in.Side = append(in.Side, buf[in.Start:in.Keep]...)
			c.emit(in, m)
		case b == '?':
			c.emit(in, wire.Msg{Code: worker.TooLarge})
		case b >= '1' && b <= '9':
			n := int(b - '0')
			if len(buf)-in.Scan < 1+n {
				in.Need = 1 + n
				return nil
			}
			if in.Start == in.Keep {
				in.Start, in.Keep = in.Scan, in.Scan
			}
			copy(buf[in.Keep:], buf[in.Scan+1:in.Scan+1+n])
			in.Keep += n
			in.Scan += 1 + n
		default:
			return wire.Errorf(wire.UnknownOp, wire.CloseBadRequest, "no chunk")
		}
	}
	return nil
}

func (c *chunks) emit(in *wire.Input, m wire.Msg) {
	c.seq++
	m.Seq = c.seq
	in.Msgs = append(in.Msgs, m)
	in.Scan++
	in.Start, in.Keep = in.Scan, in.Scan
}

func TestDriver(t *testing.T) {
	const stream = "3abc!2de04fghi0?!1x?09123456789.="
	for name, plan := range map[string]Plan{
		"whole": Whole(len(stream)), "byte by byte": ByteByByte(), "bytes": FromBytes([]byte{3, 1, 0x82, 1, 0x81}),
		"small": {Buffer: 1, Steps: []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			d := New(t, &chunks{}, wire.Hello{Client: "me"}, plan)
			if err := d.Feed([]byte(stream)); err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, m := range d.Msgs {
				fmt.Fprintf(&got, "%d:%s:%d ", m.Seq, m.Data, m.Code)
			}
			for _, e := range d.Events {
				fmt.Fprintf(&got, "event %d after %d ", e.Kind, e.After)
			}
			fmt.Fprintf(&got, "hello %s out %s rest %d", d.Hello, d.Out, d.Rest)
			const want = "1:abcde:0 2:fghi:0 3::3 4::3 5::0 6:123456789:0 " +
				"event 1 after 0 event 2 after 5 hello hellome out !! rest 0"
			if got.String() != want {
				t.Errorf("got  %s\nwant %s", got.String(), want)
			}
			if err := d.End(true); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDriverEnds(t *testing.T) {
	d := New(t, &chunks{}, wire.Hello{}, ByteByByte())
	if err := d.Feed([]byte("2ab3c")); err != nil {
		t.Fatal(err)
	}
	if fault := d.End(true); fault == nil || fault.Reason != wire.Truncated || d.Rest != 4 {
		t.Errorf("got %v with %d bytes left, want truncated with 4", fault, d.Rest)
	}
	if err := d.Feed([]byte("de0xx0")); err == nil || len(d.Msgs) != 1 || string(d.Msgs[0].Data) != "abcde" {
		t.Errorf("got %v and messages %v", err, d.Msgs)
	}
}

// recorder records the first fault that the driver finds.
type recorder struct{ text string }

func (*recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.text = fmt.Sprintf(format, args...)
	panic(r)
}

// faulty is a Conn that does one thing wrong.
type faulty struct {
	wire.Conn
	decode func(buf []byte, in *wire.Input)
}

func (faulty) AppendHello(dst []byte, _ wire.Hello) []byte { return dst }

func (f faulty) Decode(buf []byte, in *wire.Input) *wire.Error {
	f.decode(buf, in)
	return nil
}

// TestSideIsPoisoned: the bytes in Side of an earlier call are overwritten.
func TestSideIsPoisoned(t *testing.T) {
	var kept []byte
	decode := func(buf []byte, in *wire.Input) {
		for ; in.Scan < len(buf) && !in.Full(); in.Advance(1) {
			in.Msgs = append(in.Msgs, wire.Msg{Side: true, Off: uint32(len(in.Side)), Len: 1})
			in.Side = append(in.Side, buf[in.Scan])
			kept = in.Side
		}
	}
	r := Run(t, faulty{decode: decode}, []byte("ab"), Plan{Buffer: 8, Msgs: 1})
	if len(r.Msgs) != 2 || string(r.Msgs[0].Data) != "a" || string(r.Msgs[1].Data) != "b" || kept[0] != poison {
		t.Errorf("messages %+v, and then side bytes %q", r.Msgs, kept)
	}
}

func TestDriverFindsFaults(t *testing.T) {
	advance := func(in *wire.Input, to int) { in.Start, in.Keep, in.Scan = to, to, to }
	take := func(in *wire.Input, off, n int) {
		in.Msgs = append(in.Msgs, wire.Msg{Off: uint32(off), Len: uint32(n)})
	}
	for want, decode := range map[string]func([]byte, *wire.Input){
		"waits for 9 contiguous bytes, the limit is 8": func(buf []byte, in *wire.Input) { in.Need = 9 },
		"stopped although a complete frame was left": func(buf []byte, in *wire.Input) {
			if len(buf) == 3 {
				advance(in, min(in.Scan+1, len(buf)))
			}
		},
		"decoder's message at 1 of 2 bytes, beyond the 2 of its side buffer": func(buf []byte, in *wire.Input) {
			if in.Scan < len(buf) {
				in.Side = append(in.Side, "ab"...)
				in.Msgs = append(in.Msgs, wire.Msg{Side: true, Off: 1, Len: 2}, wire.Msg{Side: true, Len: 2})
				advance(in, len(buf))
			}
		},
		"of Side, which is full at 65536 bytes": func(buf []byte, in *wire.Input) {
			for len(buf) == 1 && len(in.Msgs) < 2 {
				advance(in, 1)
				in.Msgs = append(in.Msgs, wire.Msg{Side: true, Off: uint32(len(in.Side)), Len: 70_000})
				in.Side = append(in.Side, make([]byte, 70_000)...)
			}
		},
		"replaced Msgs": func(buf []byte, in *wire.Input) {
			in.Msgs = []wire.Msg{{}}
		},
		"cursors went back": func(buf []byte, in *wire.Input) {
			if len(buf) == 3 {
				advance(in, 0)
			} else {
				advance(in, len(buf))
			}
		},
		"progress with 2 bytes missing of the 4": func(buf []byte, in *wire.Input) {
			if in.Need = 4; len(buf) == 2 {
				advance(in, 1)
			}
		},
		"decoder's message at 0 of 2 bytes, beyond the 1 decoded": func(buf []byte, in *wire.Input) {
			if len(buf) == 2 {
				take(in, 0, 2)
				advance(in, 1)
			}
		},
		`a message was "ab" when it was returned and "xb" later`: func(buf []byte, in *wire.Input) {
			if len(buf) == 2 && in.Scan == 0 {
				take(in, 0, 2)
				advance(in, 2)
			} else if len(buf) == 3 {
				buf[0] = 'x'
			}
		},
	} {
		var r recorder
		func() {
			defer func() {
				if v := recover(); v != nil && v != any(&r) {
					panic(v)
				}
			}()
			Run(&r, faulty{decode: decode}, []byte("abc"), Plan{Buffer: 8, Limit: 8, Msgs: 4, Steps: []int{1}})
		}()
		if !strings.Contains(r.text, want) {
			t.Errorf("found %q, want %q", r.text, want)
		}
	}
}

func TestAnySplitIsTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stream := []byte(rapid.StringOf(rapid.SampledFrom([]rune("0001234=!?.ab"))).Draw(t, "stream"))
		plan := FromBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "plan"))
		Compare(t, Run(t, &chunks{}, stream, plan), Run(t, &chunks{}, stream, Whole(len(stream))))
	})
}
