package assemble

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// TestSideIsBounded: many requests that end at once fill Input.Side only to its limit, as the
// driver checks, and all are returned.
func TestSideIsBounded(t *testing.T) {
	const requests, size = maxOpen, 2000
	var parts, ends strings.Builder
	for id := range requests {
		fmt.Fprintf(&parts, `{"id":%d,"data":"%s"}`+"\n", id, strings.Repeat("x", size))
		fmt.Fprintf(&ends, `{"id":%d,"end":true}`+"\n", id)
	}
	c := mustNew(t, lines(t, ""), config()).NewConn()
	d := wiretest.New(t, c, wire.Hello{}, wiretest.Plan{Buffer: 1 << 15, Msgs: 1024})
	for _, text := range []string{parts.String(), ends.String()} {
		if err := d.Feed([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range d.Msgs {
		if m.Code != worker.OK || len(m.Data) < size {
			t.Fatalf("message %d has code %d and %d bytes", m.Seq, m.Code, len(m.Data))
		}
	}
	if len(d.Msgs) != requests {
		t.Errorf("%d messages, want %d", len(d.Msgs), requests)
	}
}

// TestRefusalsAreBounded: so are requests that all time out at once.
func TestRefusalsAreBounded(t *testing.T) {
	d := drive(t, config())
	for id := range 200 {
		d.want("kept", `{"id":%d,"data":"%s"}`, id, strings.Repeat("x", 1000))
	}
	d.conn.Tick(nil, time.Second)
	d.turn()
	d.conn.Tick(nil, time.Minute)
	in, refused := wire.Input{Msgs: make([]wire.Msg, 0, 500)}, 0
	for range 10 {
		in.Msgs, in.Side = in.Msgs[:0], in.Side[:0]
		if err := d.conn.Decode(nil, &in); err != nil {
			t.Fatal(err)
		}
		refused += len(in.Msgs)
		if n := len(in.Side); n > wire.SideFull+1100 {
			t.Fatalf("%d own bytes", n)
		}
	}
	if refused != 200 {
		t.Errorf("%d refused, want 200", refused)
	}
}

// TestRefusalsHaveData checks that the ack of a refused message can be rendered.
func TestRefusalsHaveData(t *testing.T) {
	cfg := config()
	cfg.MaxMessage = 40
	msgs := []string{`x`, `{"id":1,"data":9}`, `{"id":2,"data":"` + strings.Repeat("a", 41) + `"}`}
	for how, plan := range plans(100) {
		r := run(t, cfg, plan, msgs...)
		if got := summary(r); got != "1!2 2!2 3!3" {
			t.Fatalf("%s: got %s", how, got)
		}
		for i, m := range r.Msgs {
			if string(m.Data) != msgs[i] {
				t.Errorf("%s: message %d has %q", how, i, m.Data)
			}
		}
	}
}
