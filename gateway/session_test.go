package gateway

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
	"feedgate/worker/testkit"
)

// counter counts how often each number was handled, and blocks the handler of some numbers.
type counter struct {
	mu    sync.Mutex
	times map[uint64]int
	hold  map[uint64]chan struct{}
}

func newCounter(hold ...uint64) *counter {
	c := &counter{times: map[uint64]int{}, hold: map[uint64]chan struct{}{}}
	for _, seq := range hold {
		c.hold[seq] = make(chan struct{})
	}
	return c
}

func (c *counter) handle(m worker.Message) worker.Code {
	c.mu.Lock()
	c.times[m.Seq]++
	gate := c.hold[m.Seq]
	c.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return worker.OK
}

func (c *counter) wantOnce(t *testing.T, upTo uint64) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for seq := uint64(1); seq <= upTo; seq++ {
		if c.times[seq] != 1 {
			t.Errorf("number %d handled %d times", seq, c.times[seq])
		}
	}
}

// ackSet reads n acks in any order.
func (c *feedConn) ackSet(n int) map[uint64]bool {
	c.t.Helper()
	got := map[uint64]bool{}
	for len(got) < n {
		h, _ := c.frame()
		if h.Op == fg1.Ping {
			continue
		}
		if h.Op != fg1.Ack || got[h.Seq] {
			c.t.Fatalf("op %d seq %d, want another ack", h.Op, h.Seq)
		}
		got[h.Seq] = true
	}
	return got
}

func TestResume(t *testing.T) {
	feed := newTestFeed(t)
	c := newCounter(3)
	cfg := testConfig(t, feed.url(), c.handle)
	cfg.Workers = 4 // one blocks in 3
	r := start(t, cfg)

	first := feed.login(1, `{"session":"s"}`)
	if first.hello.Session != "" || first.seq != 0 {
		t.Fatalf("first HELLO: %+v seq %d", first.hello, first.seq)
	}
	first.data(1, "a")
	first.data(2, "b")
	first.ackSet(2)
	first.data(3, "held")
	for seq := uint64(4); seq <= 6; seq++ {
		first.data(seq, "x")
		first.ackSet(1) // one by one, so that none is queued behind 3
	}
	first.SetLinger(0)
	first.Close()

	second := feed.login(3, `{"session":"s"}`)
	if second.hello.Session != "s" || second.seq != 2 {
		t.Fatalf("second HELLO: %+v seq %d, want session s seq 2", second.hello, second.seq)
	}
	for seq := uint64(3); seq <= 6; seq++ {
		second.data(seq, "again")
	}
	if got := second.ackSet(3); got[3] || !got[4] || !got[5] || !got[6] {
		t.Fatalf("acks %v, want 4 to 6", got)
	}
	close(c.hold[3])
	second.expect(fg1.Ack, 0, 3)
	second.bye()
	second.expect(fg1.Bye, 0, 0)
	second.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	c.wantOnce(t, 6)
	if got := r.g.Stats().Duplicates.Load(); got != 4 {
		t.Errorf("%d duplicates counted, want 4", got)
	}
}

// TestNewSession: messages of an earlier session do not count as done.
func TestNewSession(t *testing.T) {
	feed := newTestFeed(t)
	c := newCounter()
	r := start(t, testConfig(t, feed.url(), c.handle))
	first := feed.login(1, `{"session":"s"}`)
	first.data(1, "a")
	first.ackSet(1)
	first.Close()
	second := feed.login(1, `{"session":"other"}`)
	second.data(1, "a")
	second.ackSet(1)
	second.bye()
	second.expect(fg1.Bye, 0, 0)
	second.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if c.times[1] != 2 {
		t.Errorf("handled %d times, want 2", c.times[1])
	}
}

// TestRedeliveryIntoFullWindow: redelivered messages need no free slot in the window.
func TestRedeliveryIntoFullWindow(t *testing.T) {
	feed := newTestFeed(t)
	c := newCounter(1)
	cfg := testConfig(t, feed.url(), c.handle)
	cfg.InFlight = 3
	r := start(t, cfg)
	first := feed.login(1, `{"session":"s"}`)
	for seq := uint64(1); seq <= 4; seq++ {
		first.data(seq, "x")
	}
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 3 })
	first.SetLinger(0)
	first.Close()
	second := feed.login(1, `{"session":"s"}`)
	for seq := uint64(1); seq <= 4; seq++ {
		second.data(seq, "x")
	}
	close(c.hold[1])
	second.ackSet(4)
	second.bye()
	second.expect(fg1.Bye, 0, 0)
	second.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	c.wantOnce(t, 4)
}

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	testkit.Eventually(t, "what the test waits for", cond)
}

// TestProtocolErrorFinishesWhatCameBefore: messages before a protocol error are acked, BYE has its
// code, and the gateway reconnects.
func TestProtocolErrorFinishesWhatCameBefore(t *testing.T) {
	feed := newTestFeed(t)
	r := start(t, testConfig(t, feed.url(), accept))
	first := feed.login(1, `{"session":"s"}`)
	first.data(1, "a")
	first.data(2, "b")
	first.data(1, "back")
	first.data(3, "not looked at")
	first.ackSet(2)
	first.expect(fg1.Bye, fg1.CodeProtocolError, 0)
	first.Close()
	second := feed.login(3, `{"session":"s"}`)
	second.data(3, "c")
	second.ackSet(1)
	second.bye()
	second.expect(fg1.Bye, 0, 0)
	second.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if errs := errorsOf(r); errs[wire.SeqBack] != 1 || len(errs) != 1 {
		t.Errorf("errors counted: %v", errs)
	}
}

// errorsOf returns the number of errors by reason.
func errorsOf(r *running) map[string]uint64 {
	errs := map[string]uint64{}
	r.g.Stats().Errors(func(reason string, n uint64) { errs[reason] = n })
	return errs
}

// TestCloseAmongParts: a message that is incomplete when the server sends BYE is counted and
// logged, without its bytes, and frees its memory.
func TestCloseAmongParts(t *testing.T) {
	feed := newTestFeed(t)
	cfg := testConfig(t, feed.url(), accept)
	cfg.MaxMessage, cfg.Memory = 64<<10, 256<<10
	var log bytes.Buffer // read after the gateway has ended
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	r := start(t, cfg)
	part := bytes.Repeat([]byte("secret"), 10<<10)
	const times = 10 // more than --memory allows at once
	for i := range times {
		c := feed.login(1, `{"session":"s"}`)
		c.send(fg1.AppendFrame(nil, fg1.Data, fg1.More, 0, 1, part))
		var code uint16 = fg1.CodeProtocolError
		if i == times-1 {
			code = fg1.CodeOK
		}
		c.send(fg1.AppendFrame(nil, fg1.Bye, 0, code, 0, nil))
		c.expect(fg1.Bye, fg1.CodeOK, 0)
		c.Close()
	}
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if errs := errorsOf(r); errs[wire.Truncated] != times || len(errs) != 1 {
		t.Errorf("errors counted: %v", errs)
	}
	want := []byte(`error="BYE while DATA seq 1 is unfinished: 61440 bytes of it dropped" reason=truncated`)
	if n := bytes.Count(log.Bytes(), want); n < 1 || n > times || bytes.Contains(log.Bytes(), []byte("secret")) {
		t.Errorf("logged %d times, for %d messages\n%s", n, times, log.Bytes())
	}
}

// TestSessionNameIsUTF8: a WELCOME with a name that could not be sent back is refused.
func TestSessionNameIsUTF8(t *testing.T) {
	feed := newTestFeed(t)
	r := start(t, testConfig(t, feed.url(), accept))
	for _, welcome := range []string{"{\"session\":\"\xff\"}", `{"session":"\ud800"}`} {
		c := feed.login(1, welcome)
		c.expect(fg1.Bye, fg1.CodeProtocolError, 0)
		c.Close()
	}
	c := feed.login(1, `{"session":"s"}`)
	if c.hello.Session != "" {
		t.Errorf("HELLO names session %q", c.hello.Session)
	}
	c.bye()
	c.expect(fg1.Bye, fg1.CodeOK, 0)
	c.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if errs := errorsOf(r); errs[wire.BadUTF8] != 2 || len(errs) != 1 {
		t.Errorf("errors counted: %v", errs)
	}
}

// TestNumbersEnd: sequence numbers that could wrap soon are refused.
func TestNumbersEnd(t *testing.T) {
	feed := newTestFeed(t)
	r := start(t, testConfig(t, feed.url(), accept))
	first := feed.login(delivery.MaxSeq+1, `{"session":"s"}`)
	first.expect(fg1.Bye, fg1.CodeProtocolError, 0)
	first.Close()
	second := feed.login(delivery.MaxSeq, `{"session":"s"}`)
	second.data(delivery.MaxSeq, "the last that may begin a session")
	second.data(delivery.MaxSeq+1, "in order")
	second.data(1<<64-1, "too far")
	second.ackSet(2)
	second.expect(fg1.Bye, fg1.CodeProtocolError, 0)
	second.Close()
	third := feed.login(delivery.MaxSeq+2, `{"session":"s"}`)
	third.bye()
	third.expect(fg1.Bye, fg1.CodeProtocolError, 0)
	third.Close()
	r.cancel()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}
