package ws

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// testLimit is --max-message of the tests that do not say otherwise.
const testLimit = 1 << 20

func mustNew(t wiretest.T, cfg Config) *wire.Codec {
	t.Helper()
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = testLimit
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

// answer is a server's to the request in hello.
func answer(t wiretest.T, hello []byte, further ...string) []byte {
	t.Helper()
	key := requestHeader(t, hello).Get("Sec-WebSocket-Key")
	lines := append([]string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: " + acceptFor(key),
	}, further...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

func requestHeader(t wiretest.T, hello []byte) http.Header {
	t.Helper()
	return parseRequest(t, hello).Header
}

// frame is a whole frame, as a client must send it, taken apart.
type clientFrame struct {
	op      opcode
	key     uint32
	payload string
}

// clientFrames parses what a client sent, byte by byte, and checks the requirements of RFC 6455
// 5.
func clientFrames(t wiretest.T, b []byte) (frames []clientFrame) {
	t.Helper()
	take := func(n uint64) []byte {
		if n > uint64(len(b)) {
			t.Fatalf("frame %d: %d bytes are missing", len(frames), n-uint64(len(b)))
		}
		head := b[:n]
		b = b[n:]
		return head
	}
	for len(b) > 0 {
		first := take(2)
		n, least := uint64(first[1]&0x7f), uint64(0)
		switch n {
		case 126:
			n, least = uint64(binary.BigEndian.Uint16(take(2))), 126
		case 127:
			n, least = binary.BigEndian.Uint64(take(8)), 1<<16
		}
		op := opcode(first[0] & 0xf)
		if first[0]&0xf0 != 0x80 || first[1]&0x80 == 0 || n < least || op > 2 && n > 125 {
			t.Fatalf("frame %d begins with % x and has %d bytes", len(frames), first, n)
		}
		key := bytes.Clone(take(4))
		payload := bytes.Clone(take(n))
		for i := range payload {
			payload[i] ^= key[i%4]
		}
		frames = append(frames, clientFrame{op, binary.BigEndian.Uint32(key), string(payload)})
	}
	return frames
}

// message is an expected message.
type message struct {
	text bool
	data string
	over bool // over --max-message: refused, without its data
}

// outcome is the result of a stream after the handshake.
type outcome struct {
	msgs    []message
	pongs   []string
	close   string // the server's close, "CODE clean" or "CODE"; empty: none came
	reason  string // of the fault; empty: there is none
	goodbye string // payload of our Close
}

// run drives a new connection of p with the answer to its request and stream.
func run(t wiretest.T, p *wire.Codec, stream []byte, plan wiretest.Plan) (outcome, *wire.Error) {
	t.Helper()
	c := p.NewConn()
	d := wiretest.New(t, c, wire.Hello{Host: "example.com:80"}, plan)
	d.Feed(append(answer(t, d.Hello), stream...))
	if err := d.End(true); err != nil {
		t.Fatalf("the end is a fault: %v", err)
	}
	return outcomeOf(t, c, d.Result), d.Err
}

func outcomeOf(t wiretest.T, c wire.Conn, r wiretest.Result) (o outcome) {
	t.Helper()
	for i, m := range r.Msgs {
		if m.Seq != uint64(i+1) || m.Code != 0 && m.Code != worker.TooLarge || m.Tag > 1 {
			t.Fatalf("message %d has number %d, code %d, note %d", i+1, m.Seq, m.Code, m.Tag)
		}
		o.msgs = append(o.msgs, message{m.Tag == 1, string(m.Data), m.Code != 0})
		if m.Code != 0 {
			r.Skipped--
		}
	}
	if r.Skipped != 0 {
		t.Fatalf("%d more messages skipped than refused", r.Skipped)
	}
	for _, f := range clientFrames(t, r.Out) {
		if f.op != opPong {
			t.Fatalf("opcode %#x is sent", byte(f.op))
		}
		o.pongs = append(o.pongs, f.payload)
	}
	ready := wire.Event{Kind: wire.EventReady, First: 1, Each: true}
	if len(r.Events) == 0 || r.Events[0] != (wiretest.Event{Event: ready}) || len(r.Events) > 2 {
		t.Fatalf("events %+v", r.Events)
	}
	if len(r.Events) == 2 {
		e := r.Events[1]
		if e.Kind != wire.EventClose || e.After != len(r.Msgs) {
			t.Fatalf("event %+v behind %d messages", e, len(r.Msgs))
		}
		o.close = fmt.Sprint(e.Code)
		if e.Clean {
			o.close += " clean"
		}
	}
	if r.Err != nil {
		o.reason = r.Err.Reason
	}
	for _, f := range clientFrames(t, c.AppendClose(nil, wire.CloseOK)) {
		if f.op != opClose {
			t.Fatalf("goodbye has opcode %#x", byte(f.op))
		}
		o.goodbye += f.payload
	}
	return o
}

// diff describes how two outcomes differ, without long payloads.
func (o outcome) diff(want outcome) string {
	for i := range max(len(o.msgs), len(want.msgs)) {
		if i >= len(o.msgs) || i >= len(want.msgs) || o.msgs[i] != want.msgs[i] {
			return fmt.Sprintf("%d messages, want %d, the first that differs is %d: %.80q, want %.80q",
				len(o.msgs), len(want.msgs), i+1, at(o.msgs, i), at(want.msgs, i))
		}
	}
	if !slices.Equal(o.pongs, want.pongs) {
		return fmt.Sprintf("%d pongs, want %d: %.10q, want %.10q", len(o.pongs), len(want.pongs), o.pongs, want.pongs)
	}
	if got, want := o.ending(), want.ending(); got != want {
		return got + ", want " + want
	}
	return ""
}

func (o outcome) ending() string {
	return fmt.Sprintf("fault %q, close %q, goodbye %q", o.reason, o.close, o.goodbye)
}

func at(list []message, i int) string {
	if i >= len(list) {
		return "none"
	}
	return fmt.Sprint(list[i])
}

// plans are how a stream of n bytes may arrive; name seeds the random ones.
func plans(name string, n int) map[string]wiretest.Plan {
	n += 256 // the answer
	list, rng := wiretest.Plans(name, n)
	// The answer and the first header arrive byte by byte, the rest at once.
	head := slices.Repeat([]int{1}, 150)
	list["1 byte, then all"] = wiretest.Plan{Buffer: n, Msgs: 2, Steps: append(head, 0)}
	if wiretest.Short(n) {
		for i := range 3 {
			list[fmt.Sprint("random ", i)] = wiretest.Random(rng)
		}
	}
	steps := make([]int, 16)
	for i := range steps {
		steps[i] = 1 + rng.IntN(n/8)
	}
	list["random"] = wiretest.Plan{Buffer: 1 + rng.IntN(n), Msgs: 1 + rng.IntN(9), Steps: steps}
	for name, plan := range list {
		list[name] = plan.WithLimit(testLimit + maxHead)
	}
	return list
}

// check runs a stream by every plan.
func check(t *testing.T, p *wire.Codec, stream []byte, want outcome) {
	t.Helper()
	wiretest.Check(t, plans(t.Name(), len(stream)), func(plan wiretest.Plan) (diff string, err *wire.Error) {
		got, err := run(t, p, stream, plan)
		return got.diff(want), err
	})
}
