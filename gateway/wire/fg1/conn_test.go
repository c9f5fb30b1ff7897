package fg1

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

const testMax = 100

func newTestConn() *conn {
	return New(Config{MaxMessage: testMax, Heartbeat: time.Second}).NewConn().(*conn)
}

func data(seq uint64, flags uint8, payload string) []byte {
	return AppendFrame(nil, Data, flags, 0, seq, []byte(payload))
}

func frame(op Op, code uint16, seq uint64, payload string) []byte {
	return AppendFrame(nil, op, 0, code, seq, []byte(payload))
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// loggedIn returns a stream that follows a WELCOME.
func loggedIn(frames ...[]byte) []byte { return join(frame(Welcome, 0, 1, ""), join(frames...)) }

type message struct {
	seq  uint64
	data string
	code worker.Code
}

// TestStreams: what a stream is decoded to, however it arrives.
func TestStreams(t *testing.T) {
	big := strings.Repeat("b", testMax+1)
	full := strings.Repeat("f", testMax)
	badLength := data(2, 0, "x")
	badLength[3] = 11
	for _, c := range []struct {
		name   string
		stream []byte
		msgs   []message
		out    []byte
		reason string
	}{
		{name: "messages", stream: loggedIn(data(1, 0, "a"), data(2, 0, ""), data(3, 0, full)),
			msgs: []message{{1, "a", 0}, {2, "", 0}, {3, full, 0}}},
		{name: "code in DATA is of no meaning", stream: loggedIn(frame(Data, 9, 1, "a")), msgs: []message{{1, "a", 0}}},
		{name: "parts", stream: loggedIn(data(1, More, "ab"), data(1, More, ""), data(1, 0, "c"), data(2, 0, "d")),
			msgs: []message{{1, "abc", 0}, {2, "d", 0}}},
		{name: "PING between parts", stream: loggedIn(data(1, More, "ab"), frame(Ping, 0, 7, ""), data(1, 0, "c")),
			msgs: []message{{1, "abc", 0}}, out: frame(Pong, 0, 7, "")},
		{name: "PING before WELCOME", stream: join(frame(Ping, 0, 7, ""), loggedIn(data(1, 0, "a"))),
			msgs: []message{{1, "a", 0}}, out: frame(Pong, 0, 7, "")},
		{name: "PONG", stream: loggedIn(frame(Pong, 0, 7, ""), data(1, 0, "a")), msgs: []message{{1, "a", 0}}},
		{name: "too large", stream: loggedIn(data(1, 0, big), data(2, 0, "x")),
			msgs: []message{{1, "", worker.TooLarge}, {2, "x", 0}}},
		{name: "too large by its parts", stream: loggedIn(data(1, More, full), data(1, More, "b"), frame(Ping, 0, 3, ""),
			data(1, More, big), data(1, 0, ""), data(2, 0, "x")),
			msgs: []message{{1, "", worker.TooLarge}, {2, "x", 0}}, out: frame(Pong, 0, 3, "")},
		{name: "nothing behind BYE counts", stream: loggedIn(data(1, 0, "a"), frame(Bye, 0, 0, ""), data(2, 0, "b"), []byte("junk")),
			msgs: []message{{1, "a", 0}}},

		{name: "length under 12", stream: loggedIn(data(1, 0, "a"), badLength), msgs: []message{{1, "a", 0}}, reason: wire.BadLength},
		{name: "unknown op", stream: loggedIn(data(1, 0, "a"), frame(9, 0, 1, "")), msgs: []message{{1, "a", 0}}, reason: wire.UnknownOp},
		{name: "ACK from the server", stream: loggedIn(frame(Ack, 0, 1, "")), reason: wire.UnexpectedOp},
		{name: "ACKTO from the server", stream: loggedIn(frame(AckTo, 0, 1, "")), reason: wire.UnexpectedOp},
		{name: "HELLO from the server", stream: frame(Hello, 0, 1, ""), reason: wire.UnexpectedOp},
		{name: "DATA before WELCOME", stream: data(1, 0, "a"), reason: wire.UnexpectedOp},
		{name: "a second WELCOME", stream: loggedIn(frame(Welcome, 0, 1, "")), reason: wire.UnexpectedOp},
		{name: "unknown flags on DATA", stream: loggedIn(data(1, 2, "a")), reason: wire.BadFlags},
		{name: "flags on PING", stream: loggedIn(AppendFrame(nil, Ping, 1, 0, 0, nil)), reason: wire.BadFlags},
		{name: "another message among parts", stream: loggedIn(data(1, More, "a"), data(2, 0, "b")), reason: wire.Parts},
		{name: "another message among parts too large", stream: loggedIn(data(1, More, big), data(2, 0, "b")), reason: wire.Parts},
		{name: "PING too large", stream: loggedIn(frame(Ping, 0, 0, strings.Repeat("p", maxControl+1))), reason: wire.TooLarge},
		{name: "WELCOME is no JSON", stream: frame(Welcome, 0, 1, "{"), reason: wire.BadJSON},
		{name: "WELCOME of other types", stream: frame(Welcome, 0, 1, `{"acks":1}`), reason: wire.BadJSON},
		{name: "WELCOME is no UTF-8", stream: frame(Welcome, 0, 1, "{\"session\":\"\xff\"}"), reason: wire.BadUTF8},
		{name: "WELCOME has no UTF-8 elsewhere", stream: frame(Welcome, 0, 1, "{\"later\":\"\xc0\x80\"}"), reason: wire.BadUTF8},
		{name: "half a surrogate pair", stream: frame(Welcome, 0, 1, `{"session":"a\ud800"}`), reason: wire.BadUTF8},
		{name: "the other half", stream: frame(Welcome, 0, 1, `{"session":"\uDC00\ud83d\ude00"}`), reason: wire.BadUTF8},
		{name: "half a pair before another escape", stream: frame(Welcome, 0, 1, `{"session":"\ud83d\n"}`), reason: wire.BadUTF8},
		{name: "two first halves", stream: frame(Welcome, 0, 1, `{"session":"\ud83d\ud83d\ude00"}`), reason: wire.BadUTF8},
		{name: "session is no string", stream: frame(Welcome, 0, 1, `{"session":1}`), reason: wire.BadJSON},
		{name: "text before WELCOME", stream: []byte("220 ready\r\n"), reason: wire.Login},
		{name: "six bytes of it", stream: []byte("hello\n"), reason: wire.Login},
		{name: "HTTP before WELCOME", stream: []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), reason: wire.Login},
		{name: "a TLS alert before WELCOME", stream: []byte("\x15\x03\x01\x00\x02\x02\x46"), reason: wire.Login},
		{name: "length under 12 before WELCOME", stream: []byte{0, 0, 0, 11, byte(Welcome), 0}, reason: wire.Login},
		{name: "an unknown op of a plausible length", stream: frame(9, 0, 1, ""), reason: wire.UnknownOp},
		{name: "WELCOME too large", stream: frame(Welcome, 0, 1, strings.Repeat(" ", maxControl+1)), reason: wire.TooLarge},
		{name: "DATA too large for a control frame before WELCOME", stream: data(1, 0, strings.Repeat("d", maxControl+1)), reason: wire.UnexpectedOp},
		{name: "heartbeat too short", stream: frame(Welcome, 0, 1, `{"heartbeat_ms":99}`), reason: wire.Login},
		{name: "heartbeat too long", stream: frame(Welcome, 0, 1, `{"heartbeat_ms":3600001}`), reason: wire.Login},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := wiretest.Run(t, newTestConn(), c.stream, wiretest.Whole(len(c.stream)))
			if fault := whole.Err; (fault != nil) != (c.reason != "") || fault != nil && fault.Reason != c.reason {
				t.Fatalf("error %v, want reason %q", whole.Err, c.reason)
			}
			if len(whole.Msgs) != len(c.msgs) {
				t.Fatalf("%d messages, want %d", len(whole.Msgs), len(c.msgs))
			}
			for i, m := range whole.Msgs {
				if m.Seq != c.msgs[i].seq || string(m.Data) != c.msgs[i].data || m.Code != c.msgs[i].code {
					t.Errorf("message %d: seq %d code %d %q, want %v", i, m.Seq, m.Code, m.Data, c.msgs[i])
				}
			}
			if !bytes.Equal(whole.Out, c.out) {
				t.Errorf("replies % x, want % x", whole.Out, c.out)
			}
			wiretest.Compare(t, wiretest.Run(t, newTestConn(), c.stream, wiretest.ByteByByte()), whole)
		})
	}
}

func TestWelcome(t *testing.T) {
	for _, c := range []struct {
		payload string
		want    wire.Event
	}{
		{``, wire.Event{Each: true}},
		{`{}`, wire.Event{Each: true}},
		{`{"session":"s","later":1}`, wire.Event{Each: true, Session: "s"}},
		{`{"session":null}`, wire.Event{Each: true}},
		{"{\"session\":\"\uFFFDé\"}", wire.Event{Each: true, Session: "\uFFFDé"}},
		{`{"session":"\ufffd\ud83d\ude00\\ud800"}`, wire.Event{Each: true, Session: "\uFFFD\U0001F600\\ud800"}},
		{`{"session":"s","later":"\ud800"}`, wire.Event{Each: true, Session: "s"}},
		{`{"acks":["each","range"]}`, wire.Event{Each: true, Cumulative: true}},
		{`{"acks":["range"]}`, wire.Event{Cumulative: true}},
		{`{"acks":[]}`, wire.Event{}},
	} {
		r := wiretest.Run(t, newTestConn(), frame(Welcome, 0, 5, c.payload), wiretest.ByteByByte())
		c.want.Kind, c.want.First = wire.EventReady, 5
		if r.Err != nil || len(r.Events) != 1 || r.Events[0].Event != c.want {
			t.Errorf("%s: %+v %v, want %+v", c.payload, r.Events, r.Err, c.want)
		}
	}
}

// TestByeAmongParts: a message left unfinished by BYE is reported with the close and dropped; the
// close itself is unchanged.
func TestByeAmongParts(t *testing.T) {
	big := strings.Repeat("b", testMax+1)
	for _, c := range []struct {
		name   string
		frames []byte
		detail string // empty: no fault
	}{
		{"after a whole message", join(data(1, More, "ab"), data(1, 0, "c")), ""},
		{"after a whole one too large", join(data(1, More, big), data(1, 0, "c")), ""},
		{"after one part", data(1, More, "ab"), "BYE while DATA seq 1 is unfinished: 2 bytes of it dropped"},
		{"after an empty part", data(1, More, ""), "BYE while DATA seq 1 is unfinished: 0 bytes of it dropped"},
		{"after PING", join(data(1, 0, "x"), data(2, More, "ab"), data(2, More, "c"), frame(Ping, 0, 1, "")),
			"BYE while DATA seq 2 is unfinished: 3 bytes of it dropped"},
		{"of one too large", join(data(1, More, "ab"), data(1, More, big), data(1, More, "c")),
			"BYE while DATA seq 1 is unfinished: 104 bytes of it dropped"},
		{"of another too large", join(data(1, More, big), data(1, 0, ""), data(2, More, big)),
			"BYE while DATA seq 2 is unfinished: 101 bytes of it dropped"},
	} {
		for _, code := range []wire.CloseCode{wire.CloseOK, wire.CloseProtocolError, wire.CloseShuttingDown} {
			t.Run(fmt.Sprintf("%s, code %d", c.name, code), func(t *testing.T) {
				stream := loggedIn(c.frames, frame(Bye, uint16(code), 0, ""))
				whole := wiretest.Run(t, newTestConn(), stream, wiretest.Whole(len(stream)))
				e := whole.Events[len(whole.Events)-1].Event
				fault := e.Fault
				e.Fault = nil
				if want := (wire.Event{Kind: wire.EventClose, Code: code, Clean: code != wire.CloseProtocolError}); e != want || whole.Err != nil {
					t.Errorf("%+v %v, want %+v", e, whole.Err, want)
				}
				switch {
				case (fault != nil) != (c.detail != ""):
					t.Errorf("fault %v, want %q", fault, c.detail)
				case fault != nil && *fault != wire.Error{Reason: wire.Truncated, Code: wire.CloseOK, Detail: c.detail}:
					t.Errorf("fault %+v, want %q", fault, c.detail)
				}
				wiretest.Compare(t, wiretest.Run(t, newTestConn(), stream, wiretest.ByteByByte()), whole)
			})
		}
	}

	conn, stream := newTestConn(), loggedIn(data(1, More, "ab"), frame(Bye, 0, 0, ""))
	in := wire.Input{Msgs: make([]wire.Msg, 0, 1)}
	for in.Event.Kind != wire.EventClose {
		in.Event = wire.Event{}
		if err := conn.Decode(stream, &in); err != nil || in.Event.Kind == wire.EventNone {
			t.Fatal(in.Event, err)
		}
	}
	if in.Start != len(stream) || in.Keep != len(stream) || in.Scan != len(stream) {
		t.Errorf("cursors %d %d %d behind BYE, want %d: bytes are kept", in.Start, in.Keep, in.Scan, len(stream))
	}
}

func TestHelloAndReplies(t *testing.T) {
	c := newTestConn()
	got := c.AppendHello(nil, wire.Hello{Session: "s", Seq: 41, Client: "me", Token: []byte("secret")})
	want := frame(Hello, 0, 41, `{"version":1,"client":"me","session":"s","token":"secret"}`)
	if !bytes.Equal(got, want) {
		t.Errorf("HELLO %q, want %q", got, want)
	}
	if got, want := c.AppendAcks(nil, 7, 2, 3), join(frame(Ack, 3, 7, ""), frame(Ack, 3, 8, "")); !bytes.Equal(got, want) {
		t.Errorf("acks % x, want % x", got, want)
	}
	if got, want := c.AppendAckSet([]byte("pi"), 100, 1<<63|1<<1), join([]byte("pi"), frame(Ack, 0, 101, ""), frame(Ack, 0, 163, "")); !bytes.Equal(got, want) {
		t.Errorf("acks of a set % x, want % x", got, want)
	}
	if got, want := c.AppendAckTo(nil, 9), frame(AckTo, 0, 9, ""); !bytes.Equal(got, want) {
		t.Errorf("ACKTO % x, want % x", got, want)
	}
	if got, want := c.AppendClose(nil, 6), frame(Bye, 6, 0, ""); !bytes.Equal(got, want) {
		t.Errorf("BYE % x, want % x", got, want)
	}
}

func TestHeartbeat(t *testing.T) {
	c := newTestConn()
	if out, next := c.Tick(nil, time.Hour); len(out) != 0 || next != 0 {
		t.Errorf("PING before WELCOME")
	}
	wiretest.Run(t, c, frame(Welcome, 0, 1, `{"heartbeat_ms":200}`), wiretest.ByteByByte())
	pings := 0
	next := time.Duration(0)
	for now := time.Duration(0); now < 2*time.Second; now += 10 * time.Millisecond {
		if next > 0 && now < next {
			continue
		}
		var out []byte
		out, next = c.Tick(nil, now)
		pings += len(out) / HeaderSize
	}
	if pings != 9 {
		t.Errorf("%d PINGs in 2 s at 200 ms, want 9", pings)
	}
}

// FuzzDecode: the result does not depend on how a stream arrives, and the decoder never waits for
// more than one frame.
func FuzzDecode(f *testing.F) {
	f.Add(loggedIn(data(1, 0, "a"), data(2, More, "b"), frame(Ping, 0, 1, ""), data(2, 0, "c"), frame(Bye, 0, 0, "")), []byte{1, 2, 3})
	f.Add(loggedIn(data(1, 0, strings.Repeat("x", testMax+1)), data(2, 0, "y")), []byte{200, 1})
	f.Add(loggedIn(data(1, More, strings.Repeat("x", testMax)), data(1, More, "z"), data(1, 0, "")), []byte{0, 0, 9})
	f.Add(loggedIn(data(1, More, "ab"), frame(Bye, 0, 0, "")), []byte{20, 3})
	f.Add(frame(Welcome, 0, 1, `{"session":"s","heartbeat_ms":200,"acks":["range"]}`), []byte{})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		whole := wiretest.Run(t, newTestConn(), stream, wiretest.Whole(len(stream)))
		plan := wiretest.FromBytes(cuts).WithLimit(HeaderSize + testMax + maxControl)
		wiretest.Compare(t, wiretest.Run(t, newTestConn(), stream, plan), whole)
	})
}

func BenchmarkDecode(b *testing.B) {
	const n = 1000
	var stream []byte
	for seq := range uint64(n) {
		stream = append(stream, data(seq, 0, strings.Repeat("x", 64))...)
	}
	c := newTestConn()
	c.welcomed = true
	in := wire.Input{Msgs: make([]wire.Msg, 0, 512)}
	b.ReportAllocs()
	for b.Loop() {
		in.Start, in.Keep, in.Scan = 0, 0, 0
		for in.Scan < len(stream) {
			in.Msgs = in.Msgs[:0]
			if err := c.Decode(stream, &in); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/msg")
}
