package assemble

import (
	"bytes"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// turn decodes as the loop does after a Tick: even if no bytes have arrived, until nothing is left.
func (d *driven) turn() (r wiretest.Result) {
	d.t.Helper()
	in := wire.Input{Msgs: make([]wire.Msg, 0, 4)}
	for more := true; more; more = in.Full() {
		in.Msgs, in.Side = in.Msgs[:0], in.Side[:0]
		if err := d.conn.Decode(nil, &in); err != nil || in.Event.Kind != wire.EventNone {
			d.t.Fatalf("event %d, error %v", in.Event.Kind, err)
		}
		d.check()
		for _, m := range in.Msgs {
			if !m.Side {
				d.t.Fatalf("message %+v of nothing", m)
			}
			r.Msgs = append(r.Msgs, wiretest.Message{Seq: m.Seq, Tag: m.Tag, Code: m.Code, Data: bytes.Clone(in.Bytes(nil, &m))})
		}
	}
	return r
}

// pass advances the time in steps of a second, from since on, and returns what was refused when.
func (d *driven) pass(since, until time.Duration) map[time.Duration][]wiretest.Message {
	d.t.Helper()
	refused := map[time.Duration][]wiretest.Message{}
	for now := since; now <= until; now += time.Second {
		if _, next := d.conn.Tick(nil, now); next != now+time.Second {
			d.t.Fatalf("at %v the next tick is at %v", now, next)
		}
		if r := d.turn(); len(r.Msgs) > 0 {
			refused[now/time.Second] = r.Msgs
		}
	}
	return refused
}

func TestIdleTimeout(t *testing.T) {
	d := drive(t, config()) // 8s
	d.pass(0, 2*time.Second)
	d.want("kept", `{"id":1,"data":"a"}`)
	d.want("kept", `{"id":2,"x":["data"],"data":"b\n\ud83d"}`)
	d.want("kept", ` {"id":"3"} `)
	d.pass(3*time.Second, 5*time.Second)
	d.want("kept", ` {"id":1,"data":"more","y":{}} `) // continues
	const second = time.Second
	if got := d.pass(6*second, 10*second); len(got) != 0 {
		t.Fatalf("refused %v", got)
	}
	got := d.pass(11*second, 18*second)
	if len(got) != 2 || len(got[11]) != 2 || len(got[14]) != 1 {
		t.Fatalf("refused %v", got)
	}
	for i, want := range []wiretest.Message{
		{Seq: 2, Code: worker.TooLarge, Data: []byte(`{"id":2,"x":["data"],"data":"b\n\ud83d"}`)},
		{Seq: 3, Code: worker.TooLarge, Data: []byte(` {"id":"3"} `)},
		{Seq: 4, Code: worker.TooLarge, Data: []byte(` {"id":1,"data":"more","y":{}} `)},
	} {
		m := append(got[11], got[14]...)[i]
		if m.Seq != want.Seq || m.Code != want.Code || string(m.Data) != string(want.Data) {
			t.Errorf("refused %+v with %q, want %+v with %q", m, m.Data, want, want.Data)
		}
	}

	// 2 and 3 were refused at 11s, 1 at 14s: they are ignored for
	// as long again.
	d.want("ignored", `{"id":2,"data":"c"}`)
	d.want("ignored", `{"id":2,"data":"c","end":true}`)
	d.want("ignored", `{"id":1,"data":"c"}`)
	d.pass(19*second, 26*second)
	d.want("kept", `{"id":"3","data":"new"}`) // forgotten
	d.want("ignored", `{"id":1,"data":"c"}`)
	d.pass(27*second, 34*second)
	d.want("ignored", `{"id":1,"data":"c"}`)
	if got := d.pass(35*second, 44*second); len(got) != 1 || len(got[35]) != 1 {
		t.Fatalf("refused %v", got)
	}
	if len(d.conn.table.byKey) != 0 {
		t.Errorf("%d requests are left", len(d.conn.table.byKey))
	}
}

// TestAcksOfTimeouts checks that the ack of a request that timed out is rendered from its last
// part.
func TestAcksOfTimeouts(t *testing.T) {
	p := mustNew(t, lines(t, "{json:id}/{json:data}/{n}/{code}"), config())
	c := p.NewConn().(*conn)
	d := &driven{wiretest.New(t, c, wire.Hello{}, wiretest.Whole(1<<10)), c, t, 0, 0}
	d.want("kept", `{"id":"a","data":"1"}`)
	d.want("kept", `{"id":"a","data":"2"}`)
	refused := d.pass(time.Second, 9*time.Second)[9]
	if len(refused) != 1 {
		t.Fatalf("refused %v", refused)
	}
	m := refused[0]
	ack := p.Render(nil, worker.Message{Data: m.Data, Seq: m.Seq, Tag: m.Tag}, m.Code)
	if string(ack) != "a/2/2/3" {
		t.Errorf("ack %s", ack)
	}
}

// TestTimeoutsHaveTag checks that a refusal has the inner protocol's tag.
func TestTimeoutsHaveTag(t *testing.T) {
	c := mustNew(t, mixed, config()).NewConn().(*conn)
	d := &driven{wiretest.New(t, c, wire.Hello{}, wiretest.Whole(1<<10)), c, t, 0, 0}
	text := `{"id":1}`
	for range 3 {
		if err := d.Feed(append([]byte{message, byte(len(text))}, text...)); err != nil {
			t.Fatal(err)
		}
	}
	refused := d.pass(time.Second, 9*time.Second)[9]
	if len(refused) != 1 || refused[0].Seq != 3 || refused[0].Tag != 3 {
		t.Errorf("refused %+v", refused)
	}
}

// TestClockIsPaused checks that requests do not time out while the loop does not decode.
func TestClockIsPaused(t *testing.T) {
	d := drive(t, config())
	d.want("kept", `{"id":1,"data":"a"}`)
	d.pass(0, time.Second)
	for now := time.Second; now < time.Hour; now += time.Second {
		d.conn.Tick(nil, now)
	}
	if r := d.turn(); len(r.Msgs) > 0 {
		t.Fatalf("refused %+v", r.Msgs)
	}
	d.want(`2={"id":1,"data":"ab","end":true}`, `{"id":1,"data":"b","end":true}`)
}

// TestNoTimeout checks that without --idle-timeout nothing is refused for its age.
func TestNoTimeout(t *testing.T) {
	cfg := config()
	cfg.IdleTimeout = 0
	d := drive(t, cfg)
	d.want("kept", `{"id":1,"data":"a"}`)
	for now := time.Duration(0); now < 100*time.Hour; now += time.Hour {
		if _, next := d.conn.Tick(nil, now); next != 0 {
			t.Fatalf("the next tick is at %v", next)
		}
		if r := d.turn(); len(r.Msgs) > 0 {
			t.Fatalf("refused %+v", r.Msgs)
		}
	}
	d.want(`2={"id":1,"data":"ab","end":true}`, `{"id":1,"data":"b","end":true}`)
}

// TestCompletedBeforeTimeouts checks that a request whose last part was received before a Tick,
// and not decoded for lack of space, is not refused.
func TestCompletedBeforeTimeouts(t *testing.T) {
	d := drive(t, config())
	d.want("kept", `{"id":1,"data":"a"}`)
	d.want("kept", `{"id":2,"data":"a"}`)
	d.want("kept", `{"id":3,"data":"a"}`)
	d.pass(0, 7*time.Second)
	in := wire.Input{Msgs: make([]wire.Msg, 0, 1)}
	text := []byte(`{"id":1,"end":true}` + "\n" + `{"id":2,"end":true}` + "\n")
	var seqs []uint64
	for tick := 8 * time.Second; ; tick += time.Second {
		in.Msgs, in.Side = in.Msgs[:0], in.Side[:0]
		if err := d.conn.Decode(text, &in); err != nil {
			t.Fatal(err)
		}
		if len(in.Msgs) == 0 {
			break
		}
		m := in.Msgs[0]
		seqs = append(seqs, m.Seq)
		if (m.Code == worker.OK) != (m.Seq != 3) {
			t.Errorf("message %d has code %d", m.Seq, m.Code)
		}
		d.conn.Tick(nil, tick)
	}
	if len(seqs) != 3 || seqs[0] != 4 || seqs[1] != 5 || seqs[2] != 3 {
		t.Errorf("messages %v, want 4, 5 and the refusal of 3", seqs)
	}
}
