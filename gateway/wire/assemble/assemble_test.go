package assemble

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/stream"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

const spec = "json:id,end,data"

// config returns a Config whose limits do not matter.
func config() Config {
	return Config{Spec: spec, MaxMessage: 1 << 20, Memory: 32 << 20, IdleTimeout: 8 * time.Second}
}

// lines is a protocol of a message a line.
func lines(t wiretest.T, ack string) *wire.Codec {
	t.Helper()
	p, err := stream.New(stream.Config{Frame: "line", AckTemplate: ack, MaxMessage: 1 << 20})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

func mustNew(t wiretest.T, inner *wire.Codec, cfg Config) *wire.Codec {
	t.Helper()
	p, err := New(inner, cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

// run decodes the messages, one per line.
func run(t wiretest.T, cfg Config, plan wiretest.Plan, msgs ...string) wiretest.Result {
	t.Helper()
	text := strings.Join(msgs, "\n") + "\n"
	return wiretest.Run(t, mustNew(t, lines(t, ""), cfg).NewConn(), []byte(text), plan)
}

// TestMetadataIsThatOfTheLastPart: what the inner protocol reports is passed on.
func TestMetadataIsThatOfTheLastPart(t *testing.T) {
	real := *mixed
	inner := &real
	inner.Meta = &worker.Metadata{Names: []string{"kind"}}
	if mustNew(t, inner, config()).Meta != inner.Meta {
		t.Fatal("the inner protocol's metadata are lost")
	}
	m := wire.Msg{Seq: 1, Tag: 1}
	c := mustNew(t, inner, config()).NewConn().(*conn)
	for _, part := range []string{`{"id":1,"done":false,"data":"a"}`, `{"id":1,"done":true,"data":"b"}`} {
		m.Tag ^= 1
		c.table.handle(new(wire.Input), &m, []byte(part))
	}
	if m.Tag != 1 || m.Code != worker.OK {
		t.Errorf("the whole has note %d, code %d", m.Tag, m.Code)
	}
}

// plans returns several ways in which n bytes may arrive.
func plans(n int) map[string]wiretest.Plan {
	return map[string]wiretest.Plan{
		"whole":         wiretest.Whole(n),
		"byte by byte":  wiretest.ByteByByte(),
		"one at a time": {Buffer: n, Msgs: 1},
		"two at a time": {Buffer: n, Msgs: 2, Steps: []int{0}},
		"pieces":        {Buffer: 64, Msgs: 3, Steps: []int{17, -5, 40}},
	}
}

// summary formats results, one word per message: number, code unless it is OK, data unless it was
// refused.
func summary(r wiretest.Result) string {
	var b strings.Builder
	for _, m := range r.Msgs {
		if m.Code != worker.OK {
			fmt.Fprintf(&b, "%d!%d ", m.Seq, m.Code)
		} else {
			fmt.Fprintf(&b, "%d=%s ", m.Seq, m.Data)
		}
	}
	return strings.TrimSuffix(b.String(), " ")
}

func TestNewFaults(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`--assemble: "": want json:ID,COMPLETE,DATA`:             func(c *Config) { c.Spec = "" },
		`--assemble: "id,end,data": want json:`:                  func(c *Config) { c.Spec = "id,end,data" },
		`--assemble: "json:id,end": want json:`:                  func(c *Config) { c.Spec = "json:id,end" },
		`--assemble: "json:id,end,data,x": want json:`:           func(c *Config) { c.Spec = "json:id,end,data,x" },
		`--assemble: "json:id,,data": a name is missing`:         func(c *Config) { c.Spec = "json:id,,data" },
		`--assemble: "json:id,data,data": "data" is named twice`: func(c *Config) { c.Spec = "json:id,data,data" },
		`--assemble: "json:id,a,\\x61": "a" is named twice`:      func(c *Config) { c.Spec = `json:id,a,\x61` },
		`--assemble: "json:id,end,\\q": byte 1: unknown escape`:  func(c *Config) { c.Spec = `json:id,end,\q` },
		`--assemble: "json:id,end,\\xff": a name is not UTF-8`:   func(c *Config) { c.Spec = `json:id,end,\xff` },
		"--max-message: 0 is not from 1":                         func(c *Config) { c.MaxMessage = 0 },
		"--max-message: 1073741825 is not from 1":                func(c *Config) { c.MaxMessage = 1<<30 + 1 },
		"--memory: --assemble gets 0 bytes":                      func(c *Config) { c.Memory = 0 },
	} {
		cfg := config()
		change(&cfg)
		_, err := New(lines(t, ""), cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want one with %s", cfg, err, want)
		}
	}
	headed := *mixed
	headed.Meta = &worker.Metadata{Split: func(frame []byte) (head, data []byte) { return nil, frame }}
	if _, err := New(&headed, config()); err == nil || !strings.Contains(err.Error(), "heads") {
		t.Errorf("messages with heads: error %v", err)
	}
	_, err := New(fg1.New(fg1.Config{MaxMessage: 1 << 20}), Config{})
	if err == nil || !strings.Contains(err.Error(), "--assemble: goes with tcp:// and ws:// only") ||
		strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("every fault at once: %v", err)
	}
}

// TestIsTheInnerProtocol checks that everything but messages is left to the inner protocol.
func TestIsTheInnerProtocol(t *testing.T) {
	inner, err := stream.New(stream.Config{
		Frame: "line", Hello: "HI {token}", AckTemplate: "A{json:id}{code}", HeartbeatTemplate: "H",
		Heartbeat: 700 * time.Millisecond, MaxMessage: 1 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	p := mustNew(t, inner, config())
	want := inner.Traits
	want.Joins = true
	if !reflect.DeepEqual(p.Traits, want) {
		t.Errorf("traits %+v, want %+v", p.Traits, want)
	}
	ack := p.Render(nil, worker.Message{Data: []byte(`{"id":"x"}`)}, worker.TooLarge)
	if string(ack) != "Ax3" {
		t.Errorf("ack %q", ack)
	}
	c := p.NewConn()
	if hello := c.AppendHello(nil, wire.Hello{Token: []byte("s")}); string(hello) != "HI s" {
		t.Errorf("hello %q", hello)
	}
	if err := c.End([]byte(`{"i`), &wire.Input{Msgs: make([]wire.Msg, 0, 1)}, true); err == nil {
		t.Error("a truncated message is clean")
	}
	var out []byte
	for now := time.Duration(0); now < 3*time.Second; now += 700 * time.Millisecond {
		var next time.Duration
		out, next = c.Tick(out, now)
		if next != now+700*time.Millisecond {
			t.Errorf("at %v the next tick is at %v", now, next)
		}
	}
	if string(out) != "HHHH" {
		t.Errorf("heartbeats %q", out)
	}
	cfg := config()
	cfg.IdleTimeout = -1
	if _, next := mustNew(t, lines(t, ""), cfg).NewConn().Tick(nil, time.Hour); next != 0 {
		t.Errorf("without timeouts the next tick is at %v", next)
	}
}

func TestCases(t *testing.T) {
	for name, c := range map[string]struct {
		msgs []string
		want string
	}{
		"one part": {
			[]string{`{"id":1,"end":true,"data":"a"}`}, `1={"id":1,"end":true,"data":"a"}`,
		},
		"one part without data": {[]string{` {"end":true,"id":1} `}, `1= {"end":true,"id":1} `},
		"three parts": {
			[]string{
				`{"id":1,"data":"a"}`, `{"id":1,"end":false,"data":"b"}`, `{ "x":[1, 2] , "id" : 1, "data":"c" ,"end":true}`,
			}, `3={ "x":[1, 2] , "id" : 1, "data":"abc" ,"end":true}`,
		},
		"interleaved": {
			[]string{
				`{"id":1,"data":"a"}`, `{"id":2,"data":"x"}`, `{"id":3,"data":"s","end":true}`,
				`{"id":1,"data":"b","end":true}`, `{"id":2,"data":"y","end":true}`, `{"id":1,"data":"c","end":true}`,
			},
			`3={"id":3,"data":"s","end":true} 4={"id":1,"data":"ab","end":true} 5={"id":2,"data":"xy","end":true} ` +
				`6={"id":1,"data":"c","end":true}`,
		},
		"last part without data": {
			[]string{`{"id":1,"data":"a"}`, ` {"id":1,"end":true } `}, `2= {"id":1,"end":true ,"data":"a"} `,
		},
		"no part with data":   {[]string{`{"id":1}`, `{"id":1,"end":true}`}, `2={"id":1,"end":true,"data":""}`},
		"first without data":  {[]string{`{"id":1}`, `{"id":1,"data":"z","end":true}`}, `2={"id":1,"data":"z","end":true}`},
		"numbers as they are": {[]string{`{"id":1,"data":"a"}`, `{"id":1.0,"data":"b","end":true}`}, `2={"id":1.0,"data":"b","end":true}`},
		"strings decoded": {
			[]string{`{"id":"aé","data":"a"}`, `{"id":"\u0061\u00e9","data":"b","end":true}`},
			`2={"id":"\u0061\u00e9","data":"ab","end":true}`,
		},
		"a string is no number": {
			[]string{`{"id":"1","data":"a"}`, `{"id":1,"data":"b","end":true}`, `{"id":"1","data":"c","end":true}`},
			`2={"id":1,"data":"b","end":true} 3={"id":"1","data":"ac","end":true}`,
		},
		"booleans are IDs": {
			[]string{`{"id":true,"data":"a"}`, `{"id":false,"data":"b","end":true}`, `{"id":true,"data":"c","end":true}`},
			`2={"id":false,"data":"b","end":true} 3={"id":true,"data":"ac","end":true}`,
		},
		"the empty string is an ID": {
			[]string{`{"id":"","data":"a"}`, `{"id":"","data":"b","end":true}`}, `2={"id":"","data":"ab","end":true}`,
		},
		"not JSON, no object, no ID": {
			[]string{
				`{"id":1,"data":"a"}`, `{"id":1,"data":"b"`, `[1]`, ``, `null`, `{"end":true}`, `{"id":null,"end":true}`,
				`{"id":[1],"end":true}`, `{"id":{},"end":true}`, `{"id":1,"end":true} x`, `{"id":1,"data":"c","end":true}`,
			},
			`2!2 3!2 4!2 5!2 6!2 7!2 8!2 9!2 10!2 11={"id":1,"data":"ac","end":true}`,
		},
		"data is no string": {
			[]string{
				`{"id":1,"data":"a"}`, `{"id":1,"data":7}`, `{"id":1,"data":"c"}`, `{"id":1,"end":true}`,
				`{"id":1,"data":null}`, `{"id":1,"end":true}`, `{"id":1,"data":["x"],"end":true}`, `{"id":1,"data":"d","end":true}`,
			},
			`2!2 5!2 7!2 8={"id":1,"data":"d","end":true}`,
		},
		"end is no boolean": {
			[]string{
				`{"id":1,"data":"a"}`, `{"id":1,"end":"true"}`, `{"id":1,"end":1}`, `{"id":1,"end":true,"data":3}`,
				`{"id":2,"end":null}`, `{"id":2,"end":true}`, `{"id":1,"data":"d","end":true}`,
			},
			`2!2 5!2 7={"id":1,"data":"d","end":true}`,
		},
		"the last member of a name counts": {
			[]string{
				`{"id":1,"id":2,"data":"x","data":"a","end":true,"end":false}`,
				`{"data":"y","id":2,"data":"b","end":true}`,
			}, `2={"data":"y","id":2,"data":"ab","end":true}`,
		},
		"names further in do not count": {
			[]string{
				`{"data":"a","x":{"id":9,"data":"no","end":true},"id":1,"y":[{"end":true}]}`,
				`{"x":{"data":"no"},"data":"b","id":1,"end":true,"y":{"data":7,"end":false,"id":{}}}`,
			},
			`2={"x":{"data":"no"},"data":"ab","id":1,"end":true,"y":{"data":7,"end":false,"id":{}}}`,
		},
		"escaped names": {
			[]string{`{"\u0069d":1,"dat\u0061":"a"}`, `{"i\u0064":1,"d\u0061ta":"b","\u0065nd":true}`},
			`2={"i\u0064":1,"d\u0061ta":"ab","\u0065nd":true}`,
		},
		"every escape": {
			[]string{`{"id":1,"data":"\"\\\/\b\f"}`, `{"id":1,"data":"\n\r\t\u0000\u00e9\ud83d\ude00"}`, `{"id":1,"data":"\\","end":true}`},
			`3={"id":1,"data":"\"\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude00\\","end":true}`,
		},
		"halves of a pair": {
			[]string{`{"id":1,"data":"\ud83d"}`, `{"id":1,"data":"\ude00","end":true}`},
			`2={"id":1,"data":"\ud83d\ude00","end":true}`,
		},
		"bytes of a rune": {
			[]string{"{\"id\":1,\"data\":\"\xf0\x9f\"}", "{\"id\":1,\"data\":\"\x98\x80\",\"end\":true}"},
			"2={\"id\":1,\"data\":\"\U0001f600\",\"end\":true}",
		},
		"bytes that are no UTF-8": {
			[]string{"{\"id\":\"\xff\",\"data\":\"\xfe\"}", "{\"id\":\"\xff\",\"data\":\"\xfd\",\"end\":true}"},
			"2={\"id\":\"\xff\",\"data\":\"\xfe\xfd\",\"end\":true}",
		},
	} {
		for how, plan := range plans(len(strings.Join(c.msgs, "\n")) + 1) {
			if got := summary(run(t, config(), plan, c.msgs...)); got != c.want {
				t.Errorf("%s, %s:\ngot  %s\nwant %s", name, how, got, c.want)
			}
		}
	}
}

// TestNames: names that must be escaped in JSON, or in the flag.
func TestNames(t *testing.T) {
	cfg := config()
	cfg.Spec = `json:i\x2cd,e\nd,d"\\é`
	got := summary(run(t, cfg, wiretest.Whole(200), `{"i,d":1,"d\"\\é":"a"}`, `{"i,d":1,"e\nd":true}`))
	if want := `2={"i,d":1,"e\nd":true,"d\"\\é":"a"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
