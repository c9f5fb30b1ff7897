package gateway

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// counter counts how often each number was handled, and can hold some back.
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
	cfg.Workers = 4 // one may hang in 3
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
		first.ackSet(1) // one by one, so that each goes to another worker than 3
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

// TestNewSession: nothing from before counts as done.
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

// TestRedeliveryIntoFullWindow: what is sent again needs no room.
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
	deadline := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to pass")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestStateSurvivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	feed := newTestFeed(t)
	run := func(serve func()) {
		cfg := testConfig(t, feed.url(), accept)
		var err error
		if cfg.State, err = OpenState(path, cfg.Log); err != nil {
			t.Fatal(err)
		}
		r := start(t, cfg)
		serve()
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if err := cfg.State.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(func() {
		conn := feed.login(1, `{"session":"s"}`)
		for seq := uint64(1); seq <= 5; seq++ {
			conn.data(seq, "x")
		}
		conn.ackSet(5)
		conn.bye()
		conn.expect(fg1.Bye, 0, 0)
		conn.Close()
	})
	run(func() {
		conn := feed.login(4, `{"session":"s"}`)
		if conn.hello.Session != "s" || conn.seq != 5 {
			t.Errorf("HELLO after the restart: %+v seq %d, want s 5", conn.hello, conn.seq)
		}
		for seq := uint64(4); seq <= 6; seq++ {
			conn.data(seq, "x") // 4 and 5 were done by the process before
		}
		conn.ackSet(3)
		conn.bye()
		conn.expect(fg1.Bye, 0, 0)
		conn.Close()
	})
	if e := mustState(t, path).get(feed.url()); e != (stateEntry{"s", 6}) {
		t.Errorf("state %+v, want s 6", e)
	}
}

func mustState(t *testing.T, path string) *State {
	t.Helper()
	s, err := OpenState(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestProtocolErrorFinishesWhatCameBefore: then BYE says why, and the gateway
// comes back.
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
	errs := map[string]uint64{}
	r.g.Stats().Errors(func(reason string, n uint64) { errs[reason] = n })
	if errs[wire.SeqBack] != 1 || len(errs) != 1 {
		t.Errorf("errors counted: %v", errs)
	}
}

// TestNumbersEnd: sequence numbers do not come near to where they would start over.
func TestNumbersEnd(t *testing.T) {
	feed := newTestFeed(t)
	r := start(t, testConfig(t, feed.url(), accept))
	first := feed.login(maxSeq+1, `{"session":"s"}`)
	first.expect(fg1.Bye, fg1.CodeProtocolError, 0)
	first.Close()
	second := feed.login(maxSeq, `{"session":"s"}`)
	second.data(maxSeq, "the last that may begin a session")
	second.data(maxSeq+1, "in order")
	second.data(1<<64-1, "too far")
	second.ackSet(2)
	second.expect(fg1.Bye, fg1.CodeProtocolError, 0)
	second.Close()
	third := feed.login(maxSeq+2, `{"session":"s"}`)
	third.bye()
	third.expect(fg1.Bye, fg1.CodeProtocolError, 0)
	third.Close()
	r.cancel()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestSessionNamedFirst: when a message of a session is handled, the state file names
// that session already.
func TestSessionNamedFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	feed := newTestFeed(t)
	url := feed.url()
	named := make(chan string, 2)
	cfg := testConfig(t, url, func(worker.Message) worker.Code {
		var f stateFile
		if b, err := os.ReadFile(path); err != nil || json.Unmarshal(b, &f) != nil {
			t.Errorf("state file: %q, %v", b, err)
		}
		named <- f.Upstreams[url].Session
		return worker.OK
	})
	var err error
	if cfg.State, err = OpenState(path, cfg.Log); err != nil {
		t.Fatal(err)
	}
	defer cfg.State.Close()
	r := start(t, cfg)
	for _, session := range []string{"s", "other"} {
		conn := feed.login(1, `{"session":"`+session+`"}`)
		conn.data(1, "a")
		if got := <-named; got != session {
			t.Errorf("the state file names %q, want %q", got, session)
		}
		conn.ackSet(1)
		if session == "other" {
			conn.bye()
			conn.expect(fg1.Bye, 0, 0)
		}
		conn.Close()
	}
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}
