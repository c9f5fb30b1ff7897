package ws

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// TestAcksAreAsRendered: the acks that the connection makes from numbers equal those that workers
// would render, for any mixture of kinds and any runs of numbers in flight, in any order.
func TestAcksAreAsRendered(t *testing.T) {
	templates := []string{"A{n}", "{n}", "ack {n} is {code}.", "a longer ack of message {n}", "{n:u16be}{code:u8}", "{n}{n}", "ok", `\xff{n}`}
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SampledFrom([]int{1, 2, 63, 64, 65, 100, 128, 200}).Draw(t, "window")
		p := mustNew(t, Config{AckTemplate: rapid.SampledFrom(templates).Draw(t, "template"), InFlight: window})
		c := opened(t, p)
		seq := uint64(0)
		if rapid.Bool().Draw(t, "later") { // so that numbers get another digit on the way
			seq = rapid.SampledFrom([]uint64{8, 98, 995, 99_990, 1<<32 - 5, 999_999_999_999_990}).Draw(t, "seq")
			c.(*conn).seq = seq
		}
		tags := map[uint64]uint8{}
		low := seq // all up to it is acked
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			free := window - int(seq-low)
			for range rapid.IntRange(0, free).Draw(t, "messages") {
				seq++
				tags[seq] = decodeOne(t, c, seq, rapid.IntRange(0, 9).Draw(t, "kind"))
			}
			if seq == low {
				continue
			}
			from := low + 1 + uint64(rapid.IntRange(0, int(seq-low-1)).Draw(t, "from"))
			n := rapid.IntRange(1, int(seq-from+1)).Draw(t, "n")
			code := rapid.SampledFrom([]worker.Code{worker.OK, worker.OK, worker.Refused, 1234}).Draw(t, "code")
			checkAcks(t, p, c, tags, from, n, code)
			if from == low+1 {
				low += uint64(n)
			}
		}
	})
}

// decodeOne decodes message seq, mostly text, and returns its tag.
func decodeOne(t *rapid.T, c wire.Conn, seq uint64, kind int) uint8 {
	frames := text("a")
	switch kind {
	case 0:
		frames = bin("a")
	case 1:
		frames = cat(textOn("a"), last("b"))
	case 2:
		frames = cat(binOn("a"), last("b"))
	}
	in := wire.Input{Msgs: make([]wire.Msg, 0, 2)}
	if err := c.Decode(frames, &in); err != nil || len(in.Msgs) != 1 || in.Msgs[0].Seq != seq {
		t.Fatalf("%v, messages %+v", err, in.Msgs)
	}
	return in.Msgs[0].Tag
}

func checkAcks(t *rapid.T, p *wire.Codec, c wire.Conn, tags map[uint64]uint8, from uint64, n int, code worker.Code) {
	got := c.AppendAcks([]byte("before"), from, n, code)
	var want []byte
	for seq := from; seq < from+uint64(n); seq++ {
		want = p.Render(want, worker.Message{Seq: seq, Tag: tags[seq]}, code)
	}
	if string(got[:6]) != "before" {
		t.Fatalf("it begins with %q", got[:6])
	}
	if g, w := clientFrames(t, got[6:]), clientFrames(t, want); !same(g, w) {
		t.Fatalf("from %d on %d acks: %+v, want %+v", from, n, g, w)
	}
}

// TestWhoRendersAcks: workers render acks that quote the message, and all acks if the number of
// messages whose kind must be known is unlimited.
func TestWhoRendersAcks(t *testing.T) {
	for _, c := range []struct {
		cfg    Config
		render bool
	}{
		{Config{InFlight: 10}, false},
		{Config{AckTemplate: "A{n}", InFlight: 10}, false},
		{Config{AckTemplate: "A{n}"}, true},
		{Config{AckTemplate: "{json:id}", InFlight: 10}, true},
	} {
		if got := mustNew(t, c.cfg).RenderAcks; got != c.render {
			t.Errorf("%+v: %v", c.cfg, got)
		}
	}
	if out := mustNew(t, Config{InFlight: 10}).NewConn().AppendAcks([]byte("+"), 1, 1, worker.OK); string(out) != "+" {
		t.Errorf("without a template: %q", out)
	}
}

// TestKeysOfAcksAreFresh: RFC 6455 5.3, for acks that are made in bulk.
func TestKeysOfAcksAreFresh(t *testing.T) {
	for _, template := range []string{"A{n}", "a longer ack of message {n}"} {
		c := opened(t, mustNew(t, Config{AckTemplate: template, InFlight: 1000}))
		decodeAll(t, c, times(1000, text("a")))
		keys := map[uint32]bool{}
		for _, f := range clientFrames(t, c.AppendAcks(nil, 1, 1000, worker.OK)) {
			keys[f.key] = true
		}
		if len(keys) < 990 { // two of 1,000 are the same once in 8,600 runs
			t.Errorf("%s: %d keys for 1000 frames", template, len(keys))
		}
	}
}

func decodeAll(t *testing.T, c wire.Conn, stream []byte) {
	t.Helper()
	in := wire.Input{Msgs: make([]wire.Msg, 0, len(stream))}
	if err := c.Decode(stream, &in); err != nil || in.Scan != len(stream) {
		t.Fatal(fmt.Errorf("%d of %d bytes: %w", in.Scan, len(stream), err))
	}
}

// TestAcksAllocateNothing, once their buffer has grown.
func TestAcksAllocateNothing(t *testing.T) {
	for _, template := range []string{"A{n}", "a longer ack of message {n}", "{n:u64be}{code:u16be}"} {
		c := opened(t, mustNew(t, Config{AckTemplate: template, InFlight: 1000}))
		decodeAll(t, c, times(500, text("a"), bin("b")))
		dst := make([]byte, 0, 64<<10)
		if n := testing.AllocsPerRun(100, func() { c.AppendAcks(dst, 1, 1000, worker.OK) }); n != 0 {
			t.Errorf("%s: %v allocations", template, n)
		}
	}
}

// TestKindsOfIgnoredFrames: frames that make no message, because they are ignored or at fault, do
// not change the kind of other messages' acks.
func TestKindsOfIgnoredFrames(t *testing.T) {
	for _, c := range []struct {
		name, ignore string
		reads        [][]byte
		want         opcode // of the first message's ack
	}{
		{"text ignored among binary", "hb", [][]byte{{0x82, 1, 'x'}, {0x81, 2, 'h', 'b'}}, opBinary},
		{"text at fault among binary", "", [][]byte{{0x82, 1, 'x'}, {0x81, 1, 0xff}}, opBinary},
		{"binary ignored among text", "hb", [][]byte{{0x81, 1, 'x'}, {0x82, 2, 'h', 'b'}, {0x81, 1, 'y'}}, opText},
		{"both in one read", "hb", [][]byte{{0x81, 1, 'x', 0x82, 2, 'h', 'b', 0x82, 1, 'y'}}, opText},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := New(Config{MaxMessage: 1000, InFlight: 2048, AckTemplate: "A{n}", IgnorePrefix: c.ignore})
			if err != nil {
				t.Fatal(err)
			}
			conn := p.NewConn().(*conn)
			conn.phase = open
			for _, read := range c.reads {
				in := &wire.Input{Msgs: make([]wire.Msg, 0, 1024)}
				_ = conn.Decode(read, in) // at fault in one case
			}
			ack := conn.AppendAcks(nil, 1, 1, worker.OK)
			if got := opcode(ack[0] & opBits); got != c.want {
				t.Errorf("the ack has opcode %d, want %d", got, c.want)
			}
		})
	}
}
