package stream

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"feedgate/worker/selector"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

func TestNewFaults(t *testing.T) {
	for want, cfg := range map[string]Config{
		"--frame: is missing: want line,":                              {},
		`--frame: "lines": want line, line:skip-empty, delim:HEX`:      {Frame: "lines"},
		`--frame: "line:": want`:                                       {Frame: "line:"},
		`--frame: "line:skip": want`:                                   {Frame: "line:skip"},
		`--frame: "delim": want`:                                       {Frame: "delim"},
		`--frame: "delim:": the delimiter is not 1 to 8 bytes`:         {Frame: "delim:"},
		`--frame: "delim:0": the delimiter is not 1 to 8 bytes`:        {Frame: "delim:0"},
		`--frame: "delim:zz": the delimiter is not`:                    {Frame: "delim:zz"},
		`"delim:000000000000000000": the delimiter is not`:             {Frame: "delim:000000000000000000"},
		`--frame: "length:size=5": size is not 1, 2, 3, 4 or 8`:        {Frame: "length:size=5"},
		`--frame: "length:size=": size "" is not a number`:             {Frame: "length:size="},
		`--frame: "length:size": "size" is not KEY=VALUE`:              {Frame: "length:size"},
		`"length:size=4,size=4": size is given twice`:                  {Frame: "length:size=4,size=4"},
		`"length:width=4": unknown key "width"`:                        {Frame: "length:width=4"},
		`"length:order=middle": order "middle" is neither`:             {Frame: "length:order=middle"},
		`"length:offset=-1": offset "-1" is not a number from 0`:       {Frame: "length:offset=-1"},
		`"length:strip=-1": strip "-1" is not a number from 0`:         {Frame: "length:strip=-1"},
		`"length:adjust=-2147483649": adjust`:                          {Frame: "length:adjust=-2147483649"},
		`"length:offset=65536": the length field ends after`:           {Frame: "length:offset=65536"},
		`"length:strip=65537": strip is over`:                          {Frame: "length:strip=65537"},
		`"length:offset=2000,strip=0": a frame that is all header`:     {Frame: "length:offset=2000,strip=0"},
		`--hello: byte 1: placeholder {n}`:                             {Frame: "line", Hello: "{n}"},
		`--ack-template: byte 2: unknown escape \q`:                    {Frame: "line", AckTemplate: `a\q`},
		`--heartbeat-template: byte 1: { without }`:                    {Frame: "line", HeartbeatTemplate: "{"},
		`--ignore-prefix: byte 3: unknown escape \z`:                   {Frame: "line", IgnorePrefix: `ab\z`},
		`--heartbeat: -1s is negative`:                                 {Frame: "line", Heartbeat: -time.Second},
		`--max-message: 0 is not from 1 to 1073741824`:                 {Frame: "line", MaxMessage: -1},
		`--max-message: 2147483648 is not from`:                        {Frame: "line", MaxMessage: 1 << 31},
		"--max-message: 0 is not from 1 to 1073741824\n--frame: \"x\"": {Frame: "x", MaxMessage: -1},
	} {
		if cfg.MaxMessage == 0 {
			cfg.MaxMessage = 1024
		} else if cfg.MaxMessage < 0 {
			cfg.MaxMessage = 0
		}
		_, err := New(cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want one with %s", cfg, err, want)
		}
	}
}

func TestTraits(t *testing.T) {
	for ack, want := range map[string]wire.Traits{
		"":            {Overhead: len("\r\n"), EOFIsClose: true, Acks: wire.AcksIf(false)},
		`A{n}\n`:      {Overhead: len("\r\n"), EOFIsClose: true, Acks: wire.AcksIf(true)},
		`{json:id}\n`: {Overhead: len("\r\n"), EOFIsClose: true, Acks: wire.AcksIf(true)},
	} {
		if strings.HasPrefix(ack, "A") || strings.HasPrefix(ack, "{") {
			want.NoRefusalAck = "--ack-template has no {code}"
		}
		want.AckNote = map[bool]string{true: "without --ack-template"}[ack == ""]
		p := mustNew(t, Config{Frame: "line", AckTemplate: ack})
		want.RenderAcks = strings.Contains(ack, "json")
		if got := p.Traits; !reflect.DeepEqual(got, want) {
			t.Errorf("ack template %q: %+v, want %+v", ack, got, want)
		}
	}
}

// TestOpening: the hello is sent first, and EventReady precedes every message.
func TestOpening(t *testing.T) {
	conn := mustNew(t, Config{Frame: "line", Hello: `LOGIN {token}\n`}).NewConn()
	d := wiretest.New(t, conn, wire.Hello{Client: "me", Token: []byte("s3cret")}, wiretest.Whole(64))
	if err := d.Feed([]byte("a\n")); err != nil {
		t.Fatal(err)
	}
	want := wiretest.Event{Event: wire.Event{Kind: wire.EventReady, First: 1, Each: true}}
	if string(d.Hello) != "LOGIN s3cret\n" || len(d.Events) != 1 || d.Events[0] != want || len(d.Msgs) != 1 {
		t.Errorf("hello %q, events %+v, %d messages", d.Hello, d.Events, len(d.Msgs))
	}
	if out := mustNew(t, Config{Frame: "line"}).NewConn().AppendHello(nil, wire.Hello{}); out != nil {
		t.Errorf("without --hello it sends %q", out)
	}
}

func TestEnd(t *testing.T) {
	d := wiretest.New(t, mustNew(t, Config{Frame: "line"}).NewConn(), wire.Hello{}, wiretest.Whole(64))
	if err := d.Feed([]byte("a\n")); err != nil {
		t.Fatal(err)
	}
	if err := d.End(true); err != nil {
		t.Errorf("behind a whole line: %v", err)
	}
	if err := d.Feed([]byte("secret")); err != nil {
		t.Fatal(err)
	}
	const want = "message 2 at byte 2: the stream ended after 6 bytes of it"
	if fault := d.End(true); fault == nil || fault.Reason != wire.Truncated || fault.Detail != want {
		t.Errorf("within a line: %v, want %s", fault, want)
	}
}

// TestEndWithinALine: the bytes left at the end become a message only after a clean end, only
// with LastLine, and only with a line framing.
func TestEndWithinALine(t *testing.T) {
	for _, c := range []struct {
		frame           string
		lastLine, whole bool
		msgs            int
	}{
		{"line", true, true, 2}, {"line:skip-empty", true, true, 2},
		{"line", true, false, 1}, {"line", false, true, 1}, {"delim:0a", true, true, 1},
	} {
		p := mustNew(t, Config{Frame: c.frame, LastLine: c.lastLine})
		d := wiretest.New(t, p.NewConn(), wire.Hello{}, wiretest.Whole(64))
		if err := d.Feed([]byte("a\nb")); err != nil {
			t.Fatal(err)
		}
		if fault := d.End(c.whole); (fault == nil) != (c.msgs == 2) || len(d.Msgs) != c.msgs {
			t.Errorf("%+v: %v and %d messages", c, fault, len(d.Msgs))
		}
	}
}

func TestAcks(t *testing.T) {
	msg := worker.Message{Seq: 9, Data: []byte("x,y")}
	for _, c := range []struct{ template, ok, refused, render, renderRefused string }{
		{"", "", "", "", ""},
		{`A{n}\n`, "A9\nA10\nA11\n", "", "A9\n", ""},
		{`{n:u16be}{code:u8}`, "\x00\x09\x00\x00\x0a\x00\x00\x0b\x00", "\x00\x09\x01\x00\x0a\x01\x00\x0b\x01",
			"\x00\x09\x00", "\x00\x09\x01"},
		{`{field:2:,}={code};`, "", "", "y=0;", "y=1;"},
		{`{field:2:,};`, "", "", "y;", ""},
	} {
		p := mustNew(t, Config{Frame: "line", AckTemplate: c.template})
		conn := p.NewConn()
		if got := p.Render([]byte("+"), msg, worker.OK); string(got) != "+"+c.render {
			t.Errorf("%s: rendered %q, want %q", c.template, got, c.render)
		}
		if got := p.Render([]byte("+"), msg, worker.Refused); string(got) != "+"+c.renderRefused {
			t.Errorf("%s: refusal rendered %q, want %q", c.template, got, c.renderRefused)
		}
		if p.RenderAcks {
			continue
		}
		if got := conn.AppendAcks([]byte("+"), 9, 3, worker.OK); string(got) != "+"+c.ok {
			t.Errorf("%s: acks %q, want %q", c.template, got, c.ok)
		}
		if got := conn.AppendAcks([]byte("+"), 9, 3, worker.Refused); string(got) != "+"+c.refused {
			t.Errorf("%s: refusals %q, want %q", c.template, got, c.refused)
		}
		if got := conn.AppendClose([]byte("+"), wire.CloseOK); string(got) != "+" {
			t.Errorf("%s: goodbye %q", c.template, got)
		}
	}
}

func TestHeartbeat(t *testing.T) {
	conn := mustNew(t, Config{Frame: "line", HeartbeatTemplate: `PING\n`, Heartbeat: 5 * time.Second}).NewConn()
	for _, c := range []struct {
		now, next time.Duration
		want      string
	}{
		{0, 5 * time.Second, ""},
		{time.Second, 5 * time.Second, ""},
		{5 * time.Second, 10 * time.Second, "PING\n"},
		{10*time.Second + 1, 15 * time.Second, "PING\n"},
		{14 * time.Second, 15 * time.Second, ""},
		{20*time.Second + 3, 25*time.Second + 3, "PING\n"},
		{20*time.Second + 3, 25*time.Second + 3, ""},
	} {
		out, next := conn.Tick(nil, c.now)
		if string(out) != c.want || next != c.next {
			t.Errorf("at %v: %q and next at %v, want %q and %v", c.now, out, next, c.want, c.next)
		}
	}
	for _, cfg := range []Config{{Frame: "line", Heartbeat: time.Second}, {Frame: "line", HeartbeatTemplate: "x"}} {
		if out, next := mustNew(t, cfg).NewConn().Tick(nil, time.Hour); out != nil || next != 0 {
			t.Errorf("%+v: %q and next at %v", cfg, out, next)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	for frame, stream := range streams(64) {
		for _, ack := range []string{`A{n}\n`, `{n:u64be}{code:u16be}`, `{bytes:0:8} {code}\n`} {
			p := mustNew(t, Config{Frame: frame, AckTemplate: ack, IgnorePrefix: "PING"})
			conn := p.NewConn()
			in := wire.Input{Msgs: make([]wire.Msg, 0, 16)}
			if err := conn.Decode(nil, &in); err != nil {
				t.Fatal(err)
			}
			dst, msg := make([]byte, 0, 4096), worker.Message{Seq: 1 << 40, Data: stream}
			if n := testing.AllocsPerRun(100, func() {
				in.Msgs, in.Start, in.Keep, in.Scan = in.Msgs[:0], 0, 0, 0
				if err := conn.Decode(stream[:len(stream)-1], &in); err != nil || len(in.Msgs) == 0 {
					t.Fatal(err)
				}
				if p.RenderAcks {
					p.Render(dst, msg, worker.OK)
				} else {
					conn.AppendAcks(dst, 1<<40, 100, worker.OK)
				}
			}); n != 0 {
				t.Errorf("%s with %s: %v allocations", frame, ack, n)
			}
		}
	}
}

// TestNoMetadata: nothing but what --id picks can be quoted beside the message.
func TestNoMetadata(t *testing.T) {
	cfg := Config{Frame: "line", MaxMessage: 100, AckTemplate: `{id}\n`}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	id, err := selector.Parse("field:1:,")
	if err != nil {
		t.Fatal(err)
	}
	for o, want := range map[*worker.Origin]string{{ID: &id}: "a\n", {}: "\n"} {
		if got := p.Render(nil, o.Message([]byte("a,b"), 1, 0), worker.OK); string(got) != want || !p.RenderAcks {
			t.Errorf("ack %q, want %q", got, want)
		}
	}
	cfg.AckTemplate = `{meta:topic}`
	if _, err := New(cfg); err == nil || err.Error() != "--ack-template: meta:topic: tcp:// has no metadata" {
		t.Errorf("error %v", err)
	}
}
