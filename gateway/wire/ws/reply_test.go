package ws

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// TestSealFrame: frames with each form of length, appended to other bytes.
func TestSealFrame(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 124, 125, 126, 127, 65535, 65536, 1 << 20} {
		payload := bytesOf(n)
		b := appendFrame([]byte("before"), opBinary, []byte(payload))
		if string(b[:6]) != "before" {
			t.Fatalf("%d bytes: it begins with %q", n, b[:6])
		}
		frames := clientFrames(t, b[6:])
		if len(frames) != 1 || frames[0].op != opBinary || frames[0].payload != payload {
			t.Errorf("%d bytes: %d frames", n, len(frames))
		}
	}
}

func TestMask(t *testing.T) {
	for n := range 70 {
		b, want := []byte(bytesOf(n)), []byte(bytesOf(n))
		for i := range want {
			want[i] ^= [4]byte{0x12, 0x34, 0x56, 0x78}[i%4] // RFC 6455 5.3
		}
		if mask(b, 0x78563412); !bytes.Equal(b, want) {
			t.Errorf("%d bytes: % x, want % x", n, b, want)
		}
	}
}

// TestOpening checks that the hello is the first frame, is sent with EventReady, and is cleared
// from memory.
func TestOpening(t *testing.T) {
	for _, c := range []struct {
		hello, token string
		op           opcode
		want         string
	}{
		{"LOGIN {token}", "s3cret", opText, "LOGIN s3cret"},
		{"LOGIN {token}", "s\xffcret", opBinary, "LOGIN s\xffcret"},
		{`\x00\xff`, "", opBinary, "\x00\xff"},
		{"{token}", "", opText, ""},
	} {
		ws := mustNew(t, Config{Hello: c.hello}).NewConn().(*conn)
		token := []byte(c.token)
		d := wiretest.New(t, ws, wire.Hello{Host: "a:1", Token: token}, wiretest.Plan{Buffer: 512, Msgs: 4, Steps: []int{7}})
		if bytes.Contains(d.Hello, []byte("LOGIN")) || c.token != "" && bytes.Contains(d.Hello, token) {
			t.Errorf("%s: the request has it: %q", c.hello, d.Hello)
		}
		clear(token) // not kept
		good := answer(t, d.Hello)
		if d.Feed(good[:len(good)-1]); d.Out != nil || len(d.Events) > 0 {
			t.Errorf("%s: before the answer is whole: %q, %v", c.hello, d.Out, d.Events)
		}
		kept := ws.hello
		d.Feed(good[len(good)-1:])
		if bytes.Count(kept, []byte{0}) != len(kept) || ws.hello != nil {
			t.Errorf("%s: it is kept: %q", c.hello, kept)
		}
		frames := clientFrames(t, d.Out)
		if len(frames) != 1 || frames[0].op != c.op || frames[0].payload != c.want || len(d.Events) != 1 {
			t.Errorf("%s: %+v, %v", c.hello, frames, d.Events)
		}
		for range 2 {
			if err := d.Feed(text("a")); err != nil {
				t.Fatal(err)
			}
		}
		if len(clientFrames(t, d.Out)) != 1 {
			t.Errorf("%s: it is sent again", c.hello)
		}
	}
}

// TestIgnored: signs of life are not counted in {n}, however they arrive.
func TestIgnored(t *testing.T) {
	p := mustNew(t, Config{IgnorePrefix: `PI\x4eG`})
	stream := cat(text("PING"), text("a"), bin("PING 1"), bin("PIN"), textOn("P"), ping("p"), last("ING"), textOn("PING"),
		last("\u20ac"), textOn("PI"), last(""), text("b"), times(100, text("PING")), text("xPING"))
	want := pongs([]string{"p"}, asText("a"), asBin("PIN"), asText("PI"), asText("b"), asText("xPING"))
	check(t, p, stream, want)
	check(t, p, cat(text("PING\xff"), text("a")), bad1007())
}

func TestRender(t *testing.T) {
	for _, c := range []struct {
		template    string
		text        bool
		op          opcode
		ok, refused string // empty: nothing
	}{
		{"A{n}", true, opText, "A9", ""},
		{"A{n}", false, opBinary, "A9", ""},
		{"{n} {code}", true, opText, "9 0", "9 1"},
		{"{n} {code}", false, opBinary, "9 0", "9 1"},
		{`{n:u16be}{code:u8}`, true, opText, "\x00\x09\x00", "\x00\x09\x01"},
		{`\xff{code}`, true, opBinary, "\xff0", "\xff1"}, // RFC 6455 5.6: text is UTF-8
		{"{bytes:0:1}{code}", true, opBinary, "\xc30", "\xc31"},
		{"{bytes:0:2}{code}", true, opText, "\u00e90", "\u00e91"},
		{"{bytes:0:2}", false, opBinary, "\u00e9", ""},
	} {
		p := mustNew(t, Config{AckTemplate: c.template})
		m := worker.Message{Seq: 9, Data: []byte("\u00e9x")}
		if c.text {
			m.Tag = textTag
		}
		for code, want := range map[worker.Code]string{worker.OK: c.ok, worker.Refused: c.refused} {
			got := p.Render([]byte("+"), m, code)
			frames := clientFrames(t, got[1:])
			if got[0] != '+' || want == "" && len(frames) > 0 ||
				want != "" && (len(frames) != 1 || frames[0].op != c.op || frames[0].payload != want) {
				t.Errorf("%s for code %d: %+v, want %#x %q", c.template, code, frames, byte(c.op), want)
			}
		}
	}
	if got := mustNew(t, Config{}).Render([]byte("+"), worker.Message{}, worker.OK); string(got) != "+" {
		t.Errorf("without a template: %q", got)
	}
	empty := mustNew(t, Config{AckTemplate: "{json:id}"}).Render(nil, worker.Message{Tag: textTag}, worker.OK)
	if frames := clientFrames(t, empty); len(frames) != 1 || frames[0].op != opText || frames[0].payload != "" {
		t.Errorf("an ack that finds nothing: %+v", frames)
	}
}

func TestHeartbeat(t *testing.T) {
	ping, beat := clientFrame{op: opPing}, clientFrame{op: opText, payload: "BEAT"}
	for name, c := range map[string]struct {
		cfg  Config
		want []clientFrame
	}{
		"ping": {Config{Heartbeat: 5 * time.Second}, []clientFrame{ping}},
		"both": {Config{Heartbeat: 5 * time.Second, HeartbeatTemplate: "BEAT"}, []clientFrame{ping, beat}},
		"binary": {Config{Heartbeat: 5 * time.Second, HeartbeatTemplate: `\xff`},
			[]clientFrame{ping, {op: opBinary, payload: "\xff"}}},
	} {
		conn := mustNew(t, c.cfg).NewConn()
		if out, next := conn.Tick([]byte("+"), time.Hour); string(out) != "+" || next != 0 {
			t.Fatalf("%s: before the handshake is over: %q, next at %v", name, out, next)
		}
		conn = opened(t, mustNew(t, c.cfg))
		for _, s := range []struct {
			now, next time.Duration
			due       bool
		}{
			{0, 5 * time.Second, false},
			{time.Second, 5 * time.Second, false},
			{5 * time.Second, 10 * time.Second, true},
			{10*time.Second + 1, 15 * time.Second, true},
			{14 * time.Second, 15 * time.Second, false},
			{20*time.Second + 3, 25*time.Second + 3, true},
			{20*time.Second + 3, 25*time.Second + 3, false},
		} {
			out, next := conn.Tick([]byte("+"), s.now)
			want := c.want
			if !s.due {
				want = nil
			}
			if got := clientFrames(t, out[1:]); !same(got, want) || next != s.next {
				t.Errorf("%s at %v: %+v and next at %v, want %+v and %v", name, s.now, got, next, want, s.next)
			}
		}
	}
	if out, next := opened(t, mustNew(t, Config{HeartbeatTemplate: "x"})).Tick(nil, time.Hour); out != nil || next != 0 {
		t.Errorf("without an interval: %q and next at %v", out, next)
	}
}

// same compares frames but for their keys.
func same(a, b []clientFrame) bool {
	for i := range min(len(a), len(b)) {
		if a[i].op != b[i].op || a[i].payload != b[i].payload {
			return false
		}
	}
	return len(a) == len(b)
}

// TestClose: our Close if the server has sent none, and nothing after it.
func TestClose(t *testing.T) {
	p := mustNew(t, Config{Heartbeat: time.Second})
	for why, want := range map[wire.CloseCode]uint16{
		wire.CloseOK: 1000, wire.CloseShuttingDown: 1001, wire.CloseBadRequest: 1002, wire.CloseProtocolError: 1002,
		wire.CloseTooLarge: 1009, wire.CloseBadToken: 1008, 4711: 1008,
	} {
		conn := opened(t, p)
		conn.Tick(nil, 0)
		frames := clientFrames(t, conn.AppendClose([]byte("+"), why)[1:])
		if len(frames) != 1 || frames[0].op != opClose || frames[0].payload != string(binary.BigEndian.AppendUint16(nil, want)) {
			t.Errorf("why %d: %+v, want %d", why, frames, want)
		}
		in := wire.Input{Msgs: make([]wire.Msg, 0, 4)}
		out, next := conn.Tick(nil, time.Hour)
		if err := conn.Decode(cat(text("a"), ping("p")), &in); err != nil || len(in.Msgs) != 1 || len(in.Out) > 0 || len(out) > 0 || next != 0 {
			t.Errorf("behind Close: %v, %q, %q", err, in.Out, out)
		}
		if again := conn.AppendClose([]byte("+"), why); string(again) != "+" {
			t.Errorf("a second Close: %q", again)
		}
	}
	if out := p.NewConn().AppendClose([]byte("+"), wire.CloseOK); string(out) != "+" {
		t.Errorf("before the handshake is over: %q", out)
	}
}

// TestCloseAnswersClose: the server's code is returned, whatever our reason, and nothing else is
// sent.
func TestCloseAnswersClose(t *testing.T) {
	for body, want := range map[string]string{"": "", code(1000) + "bye": code(1000), code(4711): code(4711)} {
		conn := opened(t, mustNew(t, Config{Heartbeat: time.Second}))
		in := wire.Input{Msgs: make([]wire.Msg, 0, 1)}
		if err := conn.Decode(closing(body), &in); err != nil || in.Event.Kind != wire.EventClose || len(in.Out) > 0 {
			t.Fatalf("%q: %v, event %+v, replies %q", body, err, in.Event, in.Out)
		}
		if out, next := conn.Tick(nil, time.Hour); out != nil || next != 0 {
			t.Errorf("%q: a heartbeat %q, next at %v", body, out, next)
		}
		frames := clientFrames(t, conn.AppendClose(nil, wire.CloseShuttingDown))
		if len(frames) != 1 || frames[0].payload != want {
			t.Errorf("%q: answered with %+v", body, frames)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	p := mustNew(t, Config{AckTemplate: `{{"n":{n},"id":"{json:id}"}`, IgnorePrefix: "PING"})
	conn := opened(t, p)
	stream := cat(times(50, text(ascii(64)), bin(bytesOf(64)), text(greek), text("PING"), text(ascii(300))),
		textOn("\xe2\x82"), ping("ping"), pong(""), last("\xac"), text(ascii(70000)))
	in, buf := wire.Input{Msgs: make([]wire.Msg, 0, 512), Out: make([]byte, 0, 4096)}, make([]byte, len(stream))
	if n := testing.AllocsPerRun(100, func() {
		in = wire.Input{Msgs: in.Msgs[:0], Out: in.Out[:0]}
		copy(buf, stream) // fragments are moved about in it
		for _, short := range []int{60_000, 100, 1, 0} {
			if err := conn.Decode(buf[:len(stream)-short], &in); err != nil {
				t.Fatal(err)
			}
		}
		if len(in.Msgs) != 202 || in.Scan != len(stream) {
			t.Fatalf("%d messages", len(in.Msgs))
		}
	}); n != 0 {
		t.Errorf("Decode: %v allocations", n)
	}
	dst := make([]byte, 0, 4096)
	m := worker.Message{Seq: 1 << 40, Tag: textTag, Data: []byte(`{"id":"x"}`)}
	if n := testing.AllocsPerRun(100, func() { p.Render(dst, m, worker.OK) }); n != 0 {
		t.Errorf("Render: %v allocations", n)
	}
}
