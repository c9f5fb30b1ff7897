package toy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

const testMax = 100

func testCodec(t testing.TB, heads bool, credit int) *wire.Codec {
	codec, err := Protocol{Channel: "c", Credit: credit}.New(wire.Settings{
		Workers: 1, Ring: 8192, InFlight: 65536, MaxMessage: testMax, Heartbeat: time.Second, Heads: heads,
	})
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

func frame(kind byte, body string) []byte { return AppendFrame(nil, kind, []byte(body)...) }

func msg(id uint64, topic, data string) []byte { return AppendMessage(nil, id, topic, data) }

// accepted is the end of a login with a window of 7.
func accepted(frames ...[]byte) []byte { return join(frame(Accepted, "\x00\x07"), join(frames...)) }

// plans are ways in which any stream may arrive: at once, byte by byte, and split at each
// byte.
func plans(n int) []wiretest.Plan {
	plans := []wiretest.Plan{wiretest.Whole(n), wiretest.ByteByByte()}
	for i := 1; i < n; i++ {
		plans = append(plans, wiretest.Plan{Buffer: n, Msgs: 8, Steps: []int{i, n - i}})
	}
	return plans
}

// TestStreams: what a stream is decoded to, however it arrives.
func TestStreams(t *testing.T) {
	big, full := strings.Repeat("b", testMax+1), strings.Repeat("f", testMax)
	topic := strings.Repeat("t", maxTopic)
	badTopic := msg(2, "", "x")
	badTopic[topicOffset] = 2
	huge := msg(2, "", "")
	huge[0] = 0xff
	seven := bytes.Repeat(msg(1, "", ""), 7)
	credit := appendCredit(nil, 7)
	for _, c := range []struct {
		name   string
		stream []byte
		want   string // messages, then events
		out    []byte
		reason string
	}{
		{name: "messages", stream: accepted(msg(9, "a", "x"), msg(5, "", ""), msg(6, topic, full)),
			want: "ready 1:9/a/x 2:5// 3:6/" + topic + "/" + full, out: credit},
		{name: "too long", stream: accepted(msg(9, "a", big), msg(5, "", "x"), msg(6, topic, big)),
			want: "ready 1:code3 2:5//x 3:code3", out: credit},
		{name: "ping", stream: join(frame(Ping, ""), accepted(msg(9, "a", "x"), frame(Ping, ""), frame(Pong, ""))),
			want: "ready 1:9/a/x", out: join(frame(Pong, ""), credit, frame(Pong, ""))},
		{name: "nothing counts after goodbye", stream: accepted(msg(9, "a", "x"), frame(Goodbye, ""), msg(5, "", "")),
			want: "ready 1:9/a/x close", out: credit},
		{name: "goodbye instead of login", stream: frame(Goodbye, ""), want: "close"},
		{name: "all of the credit", stream: accepted(seven), out: credit,
			want: "ready 1:1// 2:1// 3:1// 4:1// 5:1// 6:1// 7:1//"},

		{name: "over the credit", stream: accepted(seven, msg(2, "", "")), out: credit, reason: badCredit,
			want: "ready 1:1// 2:1// 3:1// 4:1// 5:1// 6:1// 7:1//"},
		{name: "no credit wanted", stream: frame(Accepted, "\x00\x00"), reason: badCredit},
		{name: "refused", stream: frame(Refused, "no such channel"), reason: wire.Login},
		{name: "a body of three bytes", stream: frame(Accepted, "\x00\x07\x00"), reason: wire.BadLength},
		{name: "length 0", stream: accepted([]byte{0, 0, 0, 0, Ping}), want: "ready", out: credit, reason: wire.BadLength},
		{name: "message without an id", stream: accepted(frame(Message, "1")), want: "ready", out: credit, reason: wire.BadLength},
		{name: "message shorter than its topic", stream: accepted(msg(1, "", ""), badTopic),
			want: "ready 1:1//", out: credit, reason: wire.BadLength},
		{name: "too long to skip", stream: accepted(huge), want: "ready", out: credit, reason: wire.TooLarge},
		{name: "message before login", stream: msg(1, "", ""), reason: wire.UnexpectedOp},
		{name: "accepted twice", stream: accepted(accepted()), want: "ready", out: credit, reason: wire.UnexpectedOp},
		{name: "ack from the server", stream: accepted(frame(Ack, "")), want: "ready", out: credit, reason: wire.UnexpectedOp},
		{name: "unknown type", stream: []byte("HTTP/1.1 400 Bad Request\r\n"), reason: wire.UnknownOp},
		{name: "long ping", stream: frame(Ping, strings.Repeat("p", maxControl+1)), reason: wire.TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, plan := range plans(len(c.stream)) {
				r := wiretest.Run(t, testCodec(t, true, 0).NewConn(), c.stream, plan)
				if got := describe(r); got != c.want || !bytes.Equal(r.Out, c.out) || reason(r.Err) != c.reason {
					t.Fatalf("%s, replies %q, error %v; want %s, %q, reason %q", got, r.Out, r.Err, c.want, c.out, c.reason)
				}
			}
		})
	}
}

func reason(err *wire.Error) string {
	if err == nil {
		return ""
	}
	return err.Reason
}

// describe lists events and messages in order, a message as NUMBER:ID/TOPIC/DATA.
func describe(r wiretest.Result) string {
	var all []string
	events := r.Events
	for i := 0; i <= len(r.Msgs); i++ {
		for ; len(events) > 0 && events[0].After == i; events = events[1:] {
			all = append(all, map[wire.EventKind]string{wire.EventReady: "ready", wire.EventClose: "close"}[events[0].Kind])
		}
		if i == len(r.Msgs) {
			break
		}
		m := r.Msgs[i]
		if m.Code != worker.OK {
			all = append(all, fmt.Sprintf("%d:code%d", m.Seq, m.Code))
			continue
		}
		head, data := split(m.Data)
		all = append(all, fmt.Sprintf("%d:%d/%s/%s", m.Seq, binary.BigEndian.Uint64(head), head[headMin:], data))
	}
	return strings.Join(all, " ")
}

// TestWithoutHeads: if metadata is not used, only the data is returned.
func TestWithoutHeads(t *testing.T) {
	codec := testCodec(t, false, 0)
	r := wiretest.Run(t, codec.NewConn(), accepted(msg(9, "topic", "data")), wiretest.ByteByByte())
	if len(r.Msgs) != 1 || string(r.Msgs[0].Data) != "data" {
		t.Fatalf("%+v", r.Msgs)
	}
	m := (&worker.Origin{Meta: codec.Meta}).Message([]byte("data"), 1, 0)
	if string(m.Data) != "data" || m.ID() != "" || m.Meta("topic") != "" {
		t.Errorf("%q, id %q, topic %q", m.Data, m.ID(), m.Meta("topic"))
	}
}

func TestMetadata(t *testing.T) {
	meta := testCodec(t, true, 0).Meta
	for _, c := range []struct{ frame, data, id, topic string }{
		{"\x00\x00\x00\x00\x00\x00\x01\x00\x02abc", "c", "256", "ab"},
		{"\x00\x00\x00\x00\x00\x00\x00\x01\x00", "", "1", ""},
		{"\x00\x00\x00\x00\x00\x00\x01\x00\x02a", "\x00\x00\x00\x00\x00\x00\x01\x00\x02a", "", ""},
		{"short", "short", "", ""},
	} {
		m := (&worker.Origin{Meta: meta}).Message([]byte(c.frame), 1, 0)
		if string(m.Data) != c.data || m.ID() != c.id || m.Meta("id") != c.id || m.Meta("topic") != c.topic || m.Meta("x") != "" {
			t.Errorf("%q: data %q, id %q, topic %q", c.frame, m.Data, m.ID(), m.Meta("topic"))
		}
	}
}

func TestOpen(t *testing.T) {
	c := testCodec(t, false, 0).NewConn()
	if got, want := c.AppendHello(nil, wire.Hello{Token: []byte("secret")}), frame(Login, "c\nsecret"); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := c.AppendClose(nil, wire.CloseShuttingDown), frame(Goodbye, ""); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAcks: acks quote the ids, also of refused messages, and credit is returned by halves.
func TestAcks(t *testing.T) {
	c := testCodec(t, false, 4).NewConn()
	d := wiretest.New(t, c, wire.Hello{}, wiretest.ByteByByte())
	d.Feed(accepted(msg(90, "", "a"), msg(80, "", strings.Repeat("b", testMax+1)), msg(70, "", "c"), msg(60, "", "d")))
	if d.Err != nil || !bytes.Equal(d.Out, appendCredit(nil, 4)) {
		t.Fatalf("%q, error %v", d.Out, d.Err)
	}
	for _, step := range []struct {
		seq  uint64
		n    int
		code worker.Code
		want []byte
	}{
		{1, 1, worker.OK, appendAck(nil, 90, 0)},
		{2, 1, worker.TooLarge, join(appendAck(nil, 80, 3), appendCredit(nil, 2))},
		{3, 2, worker.OK, join(appendAck(nil, 70, 0), appendAck(nil, 60, 0), appendCredit(nil, 2))},
	} {
		if got := c.AppendAcks(nil, step.seq, step.n, step.code); !bytes.Equal(got, step.want) {
			t.Errorf("%d: %q, want %q", step.seq, got, step.want)
		}
	}
	d.Feed(join(msg(50, "", ""), msg(40, "", ""), frame(Goodbye, "")))
	if got, want := c.AppendAcks(nil, 5, 2, worker.OK), join(appendAck(nil, 50, 0), appendAck(nil, 40, 0)); !bytes.Equal(got, want) {
		t.Errorf("after goodbye: %q, want %q", got, want)
	}
}

// TestSharedCredit: credit follows the gateway's current limit.
func TestSharedCredit(t *testing.T) {
	allowed := 3
	codec, err := Protocol{Channel: "c"}.New(wire.Settings{
		Workers: 1, Ring: 8192, InFlight: 65536, MaxMessage: testMax, Credit: func() int { return allowed },
	})
	if err != nil {
		t.Fatal(err)
	}
	c := codec.NewConn()
	d := wiretest.New(t, c, wire.Hello{}, wiretest.ByteByByte())
	d.Feed(accepted(bytes.Repeat(msg(1, "", ""), 3)))
	if want := appendCredit(nil, 3); !bytes.Equal(d.Out, want) {
		t.Fatalf("%q, want %q", d.Out, want)
	}
	acks := bytes.Repeat(appendAck(nil, 1, 0), 2)
	allowed = 1
	if got := c.AppendAcks(nil, 1, 2, worker.OK); !bytes.Equal(got, acks) {
		t.Errorf("over the credit: %q", got)
	}
	allowed = 5
	if got, want := c.AppendAcks(nil, 3, 1, worker.OK), join(appendAck(nil, 1, 0), appendCredit(nil, 5)); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHeartbeat(t *testing.T) {
	c := testCodec(t, false, 0).NewConn()
	if out, next := c.Tick(nil, time.Hour); len(out) > 0 || next != 0 {
		t.Error("a ping before login")
	}
	wiretest.Run(t, c, accepted(), wiretest.ByteByByte())
	if out, next := c.Tick(nil, time.Hour); len(out) > 0 || next != time.Hour+time.Second {
		t.Errorf("%q at once, next %v", out, next)
	}
	if out, _ := c.Tick(nil, time.Hour+time.Second); !bytes.Equal(out, frame(Ping, "")) {
		t.Errorf("%q after an interval", out)
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct{ target, want string }{
		{"/orders", "orders"},
		{"/a%2Fb/c", "a/b/c"},
		{"", "upstream URL: the channel is missing"},
		{"/", "upstream URL: the channel is missing"},
		{"/a%0Ab", "upstream URL: a channel has no line feed"},
		{"/a%zz", "upstream URL: the channel has a malformed percent escape"},
		{"/a?b", "upstream URL: nothing may follow the channel"},
		{"?b", "upstream URL: nothing may follow the channel"},
	} {
		p, err := parse(c.target, nil)
		if err == nil {
			_, err = p.New(wire.Settings{InFlight: 1})
		}
		if got := fmt.Sprint(err); got != c.want && (err != nil || p.(Protocol).Channel != c.want) {
			t.Errorf("%s: %v, want %s", c.target, got, c.want)
		}
	}
	_, err := Protocol{Credit: -1}.New(wire.Settings{InFlight: 1})
	if want := "upstream URL: the channel is missing\n--toy-credit: it must be at least 1"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if !slices.Equal(Scheme.Meta, testCodec(t, true, 0).Meta.Names) {
		t.Error("the scheme does not list the metadata")
	}
}
