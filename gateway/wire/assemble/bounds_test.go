package assemble

import (
	"fmt"
	"strings"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// driven is a Conn whose table the test can inspect.
type driven struct {
	*wiretest.Driver
	conn *conn
	t    *testing.T
	seen int // messages
	fed  int // parts
}

func drive(t *testing.T, cfg Config) *driven {
	c := mustNew(t, lines(t, ""), cfg).NewConn().(*conn)
	return &driven{wiretest.New(t, c, wire.Hello{}, wiretest.Plan{Buffer: 1 << 16, Msgs: 64}), c, t, 0, 0}
}

// feed feeds one message and returns what it was taken for: a message, a part of a request that is
// now open, or an ignored part.
func (d *driven) feed(format string, args ...any) string {
	d.t.Helper()
	if err := d.Feed(fmt.Appendf(nil, format+"\n", args...)); err != nil {
		d.t.Fatal(err)
	}
	d.check()
	d.fed++
	what := summary(wiretest.Result{Msgs: d.Msgs[d.seen:]})
	d.seen = len(d.Msgs)
	switch r := d.conn.table.open.last; {
	case what != "":
		return what
	case r != nil && r.seq == uint64(d.fed):
		return "kept"
	}
	return "ignored"
}

// want feeds one message and checks the result of feed.
func (d *driven) want(want, format string, args ...any) {
	d.t.Helper()
	if got := d.feed(format, args...); got != want {
		d.t.Fatalf("after %d messages: got %s, want %s", d.seen, got, want)
	}
}

// check checks the invariants of the table.
func (d *driven) check() {
	d.t.Helper()
	tab := &d.conn.table
	var held int64
	count := map[*queue]int{}
	for key, r := range tab.byKey {
		if r.key != key || (r.queue == &tab.refused) != r.refused || r.queue != &tab.open && r.queue != &tab.refused {
			d.t.Fatalf("request %+v", r)
		}
		count[r.queue]++
		if !r.refused {
			held += int64(r.memory())
			if reserve := cap(r.joined) + cap(r.last) - len(r.joined) - len(r.last); reserve > r.memory()+64 {
				d.t.Fatalf("%d bytes of reserve beside %d", reserve, r.memory())
			}
		} else if r.memory() > 1+maxKey {
			d.t.Fatalf("a refused request holds %d bytes", r.memory())
		}
	}
	if held != tab.used || held > tab.p.memory || count[&tab.open] != tab.open.n || count[&tab.refused] != tab.refused.n ||
		tab.open.n > maxOpen || tab.refused.n > maxRefused {
		d.t.Fatalf("%d bytes held and %d counted in %d open and %d refused requests", held, tab.used, tab.open.n, tab.refused.n)
	}
}

func TestTooManyIDs(t *testing.T) {
	const ids = 2000
	var parts, ends []string
	for id := range ids {
		parts = append(parts, chunk{ID: id, Data: "a"}.String())
		ends = append(ends, chunk{ID: id, Data: "b", End: true}.String())
	}
	for _, more := range []bool{false, true} {
		msgs := parts
		if more {
			msgs = append(msgs[:ids:ids], parts...)
		}
		msgs = append(msgs[:len(msgs):len(msgs)], ends...)
		text := strings.Join(msgs, "\n") + "\n"
		r := run(t, config(), wiretest.Plan{Buffer: len(text), Msgs: 1024}, msgs...)
		want := newModel(config())
		for _, m := range msgs {
			want.take(m)
		}
		wiretest.Compare(t, r, want.result())
		if len(r.Msgs) != ids || r.Msgs[0].Seq != maxOpen+1 || r.Msgs[ids-maxOpen-1].Code != worker.TooLarge ||
			r.Msgs[ids-maxOpen].Code != worker.OK {
			t.Errorf("%d messages, the first %+v", len(r.Msgs), r.Msgs[0])
		}
	}
}

// TestAtTheLimitOfIDs checks that a request of one part needs no free ID, and that a finished
// request frees one.
func TestAtTheLimitOfIDs(t *testing.T) {
	d := drive(t, config())
	for id := range maxOpen {
		d.want("kept", `{"id":%d,"data":"a"}`, id)
	}
	d.want(`1025={"id":5000,"end":true}`, `{"id":5000,"end":true}`)
	d.want(`1026!3`, `{"id":6000}`)
	d.want(`1027={"id":7,"end":true,"data":"a"}`, `{"id":7,"end":true}`)
	d.want("ignored", `{"id":6000}`)
	d.want("kept", `{"id":7000}`)
	d.want(`1030!3`, `{"id":8000}`)
}

func TestRefusedHalfWay(t *testing.T) {
	d := drive(t, config())
	d.want("kept", `{"id":1,"data":"a"}`)
	d.want(`2!2`, `{"id":1,"data":7}`)
	d.want("ignored", `{"id":1,"data":"b"}`)
	d.want("ignored", `{"id":1,"data":8}`)
	d.want("ignored", `{"id":1,"data":"c","end":true}`)
	d.want("kept", `{"id":1,"data":"d"}`)
	d.want(`7={"id":1,"data":"de","end":true}`, `{"id":1,"data":"e","end":true}`)
	if n := len(d.conn.table.byKey); n != 0 {
		t.Errorf("%d requests are left", n)
	}
}

// TestRefusedAreForgotten exceeds maxRefused and checks that the request with the oldest last
// part is forgotten.
func TestRefusedAreForgotten(t *testing.T) {
	d := drive(t, config())
	feed := func(n int, format string) {
		var text strings.Builder
		for id := range n {
			fmt.Fprintf(&text, format+"\n", id)
		}
		if err := d.Feed([]byte(text.String())); err != nil {
			t.Fatal(err)
		}
		d.seen, d.fed = len(d.Msgs), d.fed+n
		d.check()
	}
	feed(maxRefused, `{"id":%d,"data":0}`)
	d.want("ignored", `{"id":0}`) // now 1 is the longest ago
	d.want(fmt.Sprintf("%d!2", maxRefused+2), `{"id":"new","data":0}`)
	d.want("ignored", `{"id":0}`)
	d.want("ignored", `{"id":2}`)
	d.want("kept", `{"id":1,"data":"a"}`)
	if d.conn.table.open.n != 1 {
		t.Errorf("%d requests are open", d.conn.table.open.n)
	}
}

func TestEndlessRequest(t *testing.T) {
	cfg := config()
	cfg.MaxMessage = 1000
	d := drive(t, cfg)
	for range 10 {
		d.want("kept", `{"id":1,"data":"%s"}`, strings.Repeat("x", 100))
	}
	d.want("11!3", `{"id":1,"data":"y"}`)
	for range 100 {
		d.want("ignored", `{"id":1,"data":"%s"}`, strings.Repeat("x", 100))
	}
	if d.conn.table.used != 0 {
		t.Errorf("%d bytes are held", d.conn.table.used)
	}
}

// TestMaxMessage tests the limit to the byte.
func TestMaxMessage(t *testing.T) {
	const last = `{"id":1,"data":"cd","end":true}`
	cfg := config()
	cfg.MaxMessage = int64(len(last) + 2)
	d := drive(t, cfg)
	d.want("kept", `{"id":1,"data":"ab"}`)
	d.want(`2={"id":1,"data":"abcd","end":true}`, last)
	d.want("kept", `{"id":1,"data":"ab!"}`)
	d.want("4!3", last)
	d.want(`5=`+last+``, last) // the refused one was complete

	const bare = `{"id":1,"end":true}`
	cfg.MaxMessage = int64(len(bare) + len(`,"data":"ab"`))
	d = drive(t, cfg)
	d.want("kept", `{"id":1,"data":"ab"}`)
	d.want(`2={"id":1,"end":true,"data":"ab"}`, bare)
	d.want("kept", `{"id":1,"data":"abc"}`)
	d.want("4!3", bare)
	d.want("5!3", `{"id":1,"end":true,"data":"abcdefgh"}`)
}

func TestMemory(t *testing.T) {
	const rest = len(`{"id":1,"data":""}`) + len("1")
	cfg := config()
	cfg.Memory = int64(2*rest + 100)
	d := drive(t, cfg)
	data := strings.Repeat("x", 90)
	d.want("kept", `{"id":1,"data":"%s"}`, data)
	d.want("kept", `{"id":2,"data":"0123456789"}`)
	if d.conn.table.used != cfg.Memory {
		t.Fatalf("%d bytes are held, want %d", d.conn.table.used, cfg.Memory)
	}
	d.want("3!3", `{"id":3}`)
	d.want("kept", `{"id":1,"data":""}`)
	d.want("5!3", `{"id":2,"data":"x"}`)    // the one whose part does not fit
	d.want("kept", `{"id":4,"data":"abc"}`) // the refusal has freed space
	d.want("ignored", `{"id":2,"data":"abc"}`)
	d.want(`8={"id":1,"data":"`+data+`","end":true}`, `{"id":1,"data":"","end":true}`)
	d.want(`9={"id":4,"data":"abc","end":true}`, `{"id":4,"data":"","end":true}`)
	if d.conn.table.used != 0 {
		t.Errorf("%d bytes are held", d.conn.table.used)
	}
}

// TestShorterParts checks that a request does not retain the memory of a long part.
func TestShorterParts(t *testing.T) {
	d := drive(t, config())
	for id := range 10 {
		d.want("kept", `{"id":%d,"x":"%s"}`, id, strings.Repeat("x", 50_000))
		d.want("kept", `{"id":%d}`, id)
	}
	if d.conn.table.used > 200 {
		t.Errorf("%d bytes are held", d.conn.table.used)
	}
}

// TestLongIDs checks that refused requests hold little of their IDs, and that all bytes of an ID
// count.
func TestLongIDs(t *testing.T) {
	cfg := config()
	cfg.Memory = 250_000
	d := drive(t, cfg)
	long := strings.Repeat("i", 100_000)
	d.want("kept", `{"id":"%s1","data":"a"}`, long)
	d.want("kept", `{"id":"%s2","data":"b"}`, long)
	d.want("3!3", `{"id":"%s3","data":"c"}`, long)
	d.want("4!2", `{"id":"%s4","data":0}`, long)
	d.want("ignored", `{"id":"%s3"}`, long)
	for id, data := range map[int]string{1: "a", 2: "b"} {
		if got := d.feed(`{"id":"%s%d","end":true}`, long, id); !strings.HasSuffix(got, `,"data":"`+data+`"}`) {
			t.Errorf("request %d: %.20s...%s", id, got, got[len(got)-30:])
		}
	}
}

// TestTheConnectionEnds checks that nothing is kept of requests that can no longer be completed.
func TestTheConnectionEnds(t *testing.T) {
	open := func() *driven {
		d := drive(t, config())
		d.want("kept", `{"id":1,"data":"a"}`)
		d.want("2!2", `{"id":2,"data":0}`)
		return d
	}
	d := open()
	if fault := d.End(true); fault == nil || *fault != *unfinished(1) {
		t.Errorf("error %v, want %v", fault, unfinished(1))
	}
	d.check()
	if len(d.conn.table.byKey) != 0 {
		t.Error("requests are left at the end")
	}
	d = open()
	if err := d.Feed([]byte(strings.Repeat("x", 64<<20+2))); err == nil {
		t.Error("the message is not too long")
	}
	d.check()
	if len(d.conn.table.byKey) != 0 {
		t.Error("requests are left after an error")
	}
}
