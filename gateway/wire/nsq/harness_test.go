package nsq

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

const (
	testLimit = 1000 // --max-message
	// testWait is the most contiguous bytes that a connection may wait for.
	testWait = headSize + maxReply
)

// testConfig is a consumer of topic/channel with a RDY count of 100.
func testConfig() Config {
	return Config{
		Topic: "topic", Channel: "channel", MaxMessage: testLimit, InFlight: 100, Ready: func() int { return 100 },
		Heartbeat: 5 * time.Second, RequeueMin: 100 * time.Millisecond,
	}
}

func mustNew(t wiretest.T, cfg Config) *wire.Codec {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// frame is a frame of any type.
func frame(kind uint32, data string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(data)))
	return append(binary.BigEndian.AppendUint32(b, kind), data...)
}

// head returns a frame's first 8 bytes.
func head(size int32, kind uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(size)), kind)
}

func response(text string) []byte   { return frame(0, text) }
func errorFrame(text string) []byte { return frame(1, text) }

// idOf returns the server's id of its n-th message.
func idOf(n int) string { return fmt.Sprintf("%016x", n) }

// message returns the n-th message, at some attempt.
func message(n, attempts int, body string) []byte {
	b := binary.BigEndian.AppendUint64(nil, 1234567890)
	b = binary.BigEndian.AppendUint16(b, uint16(attempts))
	return frame(2, string(b)+idOf(n)+body)
}

const identifiedJSON = `{"max_rdy_count":2500,"version":"1.3.0","max_msg_timeout":900000,"msg_timeout":60000,` +
	`"tls_v1":false,"deflate":false,"snappy":false,"sample_rate":0,"auth_required":false,"output_buffer_size":65536}`

// answers are a server's up to the end of the login.
func answers() []byte { return cat(response(identifiedJSON), response("OK")) }

const loginReplies = "SUB topic channel\nRDY 100\n"

// outcome is the result of a stream.
type outcome struct {
	trace   []string // messages and events, in order
	replies string   // immediate replies
	reason  string   // of the fault; empty: there is none
}

func (o outcome) String() string {
	return fmt.Sprintf("%.2000q replies %q fault %q", o.trace, o.replies, o.reason)
}

// ready returns the outcome of a login, followed by trace.
func ready(trace ...string) outcome {
	return outcome{trace: append([]string{"ready"}, trace...), replies: loginReplies}
}

func (o outcome) replying(text string) outcome {
	o.replies += text
	return o
}

func (o outcome) failing(reason string) outcome {
	o.reason = reason
	return o
}

func outcomeOf(t wiretest.T, r wiretest.Result) (o outcome) {
	t.Helper()
	events := r.Events
	for i := 0; ; i++ {
		for len(events) > 0 && events[0].After == i {
			o.trace = append(o.trace, describe(events[0].Event))
			events = events[1:]
		}
		if i == len(r.Msgs) {
			break
		}
		m := r.Msgs[i]
		switch {
		case m.Seq != uint64(i+1) || m.Tag != 0:
			t.Fatalf("message %d has number %d, tag %d", i+1, m.Seq, m.Tag)
		case m.Code == worker.TooLarge:
			o.trace = append(o.trace, "too large")
		case m.Code == worker.OK:
			o.trace = append(o.trace, "message "+string(m.Data))
		default:
			t.Fatalf("message %d has code %d", i+1, m.Code)
		}
	}
	o.replies = string(r.Out)
	if r.Err != nil {
		if r.Err.Code != wire.CloseProtocolError {
			t.Fatalf("fault has code %d", r.Err.Code)
		}
		o.reason = r.Err.Reason
	}
	return o
}

func describe(e wire.Event) string {
	switch {
	case e == wire.Event{Kind: wire.EventReady, First: 1, Each: true}:
		return "ready"
	case e == wire.Event{Kind: wire.EventStartTLS}:
		return "secure"
	case e.Kind == wire.EventClose && e.Fault == nil:
		return fmt.Sprintf("close %d %v", e.Code, e.Clean)
	case e.Kind == wire.EventClose:
		return fmt.Sprintf("close %d %v %s", e.Code, e.Clean, e.Fault.Reason)
	case e.Kind == wire.EventFault && e.Fault != nil:
		return "fault " + e.Fault.Reason
	}
	return fmt.Sprintf("%+v", e)
}

// run drives a new connection of p, with a token, with stream.
func run(t wiretest.T, p *wire.Codec, stream []byte, plan wiretest.Plan) (outcome, *wire.Error) {
	t.Helper()
	d := wiretest.New(t, p.NewConn(), wire.Hello{Client: "me", Token: []byte("s3cret")}, plan)
	d.Feed(stream)
	if err := d.End(true); err != nil {
		t.Fatalf("the end is a fault: %v", err)
	}
	return outcomeOf(t, d.Result), d.Err
}

// check runs a stream by every plan.
func check(t *testing.T, p *wire.Codec, stream []byte, want outcome) {
	t.Helper()
	n := len(stream)
	plans, rng := wiretest.Plans(t.Name(), n)
	if wiretest.Short(n) {
		for cut := range n {
			plans[fmt.Sprint("cut at ", cut)] = wiretest.Plan{Buffer: n, Msgs: 1 + cut%3, Steps: []int{cut, -n}}
		}
	}
	for i := range 5 {
		plans[fmt.Sprint("random ", i)] = wiretest.Random(rng)
	}
	wiretest.Check(t, plans, func(plan wiretest.Plan) (diff string, err *wire.Error) {
		got, err := run(t, p, stream, plan.WithLimit(testWait))
		if !got.equal(want) {
			diff = fmt.Sprintf("\ngot  %v\nwant %v", got, want)
		}
		return diff, err
	})
}

func (o outcome) equal(want outcome) bool {
	return slices.Equal(o.trace, want.trace) && o.replies == want.replies && o.reason == want.reason
}

// opened returns a connection after its login.
func opened(t wiretest.T, cfg Config, identified string) (*conn, *wiretest.Driver) {
	t.Helper()
	c := mustNew(t, cfg).NewConn().(*conn)
	d := wiretest.New(t, c, wire.Hello{Client: "me"}, wiretest.Plan{Buffer: 1 << 16, Msgs: 64})
	if err := d.Feed(cat(response(identified), response("OK"))); err != nil || c.phase != open {
		t.Fatalf("phase %d: %v", c.phase, err)
	}
	d.Out = nil
	return c, d
}

func bodyOf(n int) string { return strings.Repeat("b", n) }
