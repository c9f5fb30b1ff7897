package gateway

import (
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
	"feedgate/worker/credential"
	"feedgate/worker/testkit"
)

// stateOn opens a state file. Writes after the first one go through disk.
func stateOn(t *testing.T, log *testkit.Log, disk func(write func() error) error) *State {
	t.Helper()
	s, err := openState(filepath.Join(t.TempDir(), "state"), log.Tee(t))
	if err != nil {
		t.Fatal(err)
	}
	real := s.replace
	s.replace = func(b []byte) error { return disk(func() error { return real(b) }) }
	s.start()
	return s
}

// hangingDisk is a disk that a test can stop.
type hangingDisk struct{ wait atomic.Pointer[chan struct{}] }

func (h *hangingDisk) write(do func() error) error {
	if wait := h.wait.Load(); wait != nil {
		<-*wait
	}
	return do()
}

// hang stops the disk until letGo is called or the test ends.
func (h *hangingDisk) hang(t *testing.T) (letGo func()) {
	wait := make(chan struct{})
	h.wait.Store(&wait)
	letGo = func() {
		if h.wait.CompareAndSwap(&wait, nil) {
			close(wait)
		}
	}
	t.Cleanup(letGo)
	return letGo
}

// sendHeld sends a message that must wait, with a PING behind it. The PONG shows that both were
// read and that the loop is turning.
func (c *feedConn) sendHeld(seq uint64) {
	c.t.Helper()
	b := fg1.AppendFrame(nil, fg1.Data, 0, 0, seq, []byte("x"))
	c.send(fg1.AppendFrame(b, fg1.Ping, 0, 0, seq, nil))
	c.expect(fg1.Pong, 0, seq)
}

// TestStateDiskHangs: while the disk hangs, loops turn, messages of known sessions are processed,
// and those of a new session wait. The hang is reported, and a drain does not wait for the disk.
func TestStateDiskHangs(t *testing.T) {
	var disk hangingDisk
	var log testkit.Log
	state := stateOn(t, &log, disk.write)
	var handled atomic.Int64
	feeds := [2]*testFeed{newTestFeed(t), newTestFeed(t)}
	var gateways [2]*running
	for i, f := range feeds {
		cfg := testConfig(t, f.url(), func(worker.Message) worker.Code { handled.Add(1); return worker.OK })
		cfg.State = state
		gateways[i] = start(t, cfg)
	}
	known := feeds[0].login(1, `{"session":"known"}`)
	known.data(1, "x")
	known.expect(fg1.Ack, 0, 1)

	letGo := disk.hang(t)
	fresh := feeds[1].login(1, `{"session":"new"}`)
	fresh.sendHeld(1)
	testkit.Eventually(t, "the report of the disk", func() bool { return state.Ready() != nil })
	if err := state.Ready(); !strings.Contains(err.Error(), "--state: the disk of "+state.path) {
		t.Error(err)
	}
	testkit.Eventually(t, "its log line", func() bool { return log.Has("the disk of --state hangs") })
	for seq := uint64(2); seq < 10; seq++ {
		known.data(seq, "x")
		known.expect(fg1.Ack, 0, seq)
	}
	if n := handled.Load(); n != 9 {
		t.Errorf("%d messages handled, want the 9 of the session that is in the file", n)
	}
	fresh.Close() // the session will be resumed, but is still not in the file
	fresh = feeds[1].login(1, `{"session":"new"}`)
	if fresh.hello.Session != "new" {
		t.Errorf("HELLO asks for %q", fresh.hello.Session)
	}
	fresh.sendHeld(1)
	gateways[1].cancel()
	fresh.expect(fg1.Bye, fg1.CodeShuttingDown, 0)
	fresh.Close()
	if err := gateways[1].wait(); err != nil {
		t.Errorf("a drain while the disk hangs: %v", err)
	}
	if n := gateways[1].g.Stats().Totals(); n.Messages != 0 || n.Dropped != 1 {
		t.Errorf("%+v, want one message that was dropped", n)
	}
	if state.Unwritten() == nil {
		t.Error("a file that is behind is not reported")
	}

	letGo()
	testkit.Eventually(t, "a healthy disk", func() bool { return state.Ready() == nil && log.Has("responds again") })
	known.bye()
	known.expect(fg1.Bye, 0, 0)
	known.Close()
	if err := errors.Join(gateways[0].wait(), state.Close(), state.Unwritten()); err != nil {
		t.Fatal(err)
	}
	kept := mustState(t, state.path)
	for i, want := range []stateEntry{{"known", 9}, {"new", 0}} {
		if got := kept.get(feeds[i].url()); got != want {
			t.Errorf("%v is kept, want %v", got, want)
		}
	}
}

// TestStateDiskRecovers: when the disk responds again, the waiting messages are processed.
func TestStateDiskRecovers(t *testing.T) {
	var disk hangingDisk
	var log testkit.Log
	state := stateOn(t, &log, disk.write)
	defer state.Close()
	letGo := disk.hang(t)
	feed := newTestFeed(t)
	cfg := testConfig(t, feed.url(), accept)
	cfg.State = state
	r := start(t, cfg)
	conn := feed.login(1, `{"session":"first"}`)
	conn.sendHeld(1)
	conn.Close() // the write of this session is in progress
	conn = feed.login(1, `{"session":"second"}`)
	conn.sendHeld(1)
	letGo()
	conn.expect(fg1.Ack, 0, 1)
	if e := state.get(feed.url()); e.Session != "second" {
		t.Errorf("%v is kept", e)
	}
	conn.bye()
	conn.expect(fg1.Bye, 0, 0)
	conn.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestSessionThatCannotBeWritten: a failed write is logged and holds up no message.
func TestSessionThatCannotBeWritten(t *testing.T) {
	var full atomic.Bool
	var log testkit.Log
	state := stateOn(t, &log, func(write func() error) error {
		if full.Load() {
			return errors.New("no space left")
		}
		return write()
	})
	full.Store(true)
	feed := newTestFeed(t)
	cfg := testConfig(t, feed.url(), accept)
	cfg.State, cfg.Log = state, log.Tee(t)
	r := start(t, cfg)
	conn := feed.login(1, `{"session":"s"}`)
	conn.data(1, "x")
	conn.expect(fg1.Ack, 0, 1)
	if !log.Has("cannot write the new session") {
		t.Error("it is not logged")
	}
	testkit.Eventually(t, "the writer's log line", func() bool { return log.Has("cannot write the state") })
	full.Store(false)
	testkit.Eventually(t, "another try", func() bool { return log.Has("state is written again") })
	conn.bye()
	conn.expect(fg1.Bye, 0, 0)
	conn.Close()
	if err := errors.Join(r.wait(), state.Close()); err != nil {
		t.Fatal(err)
	}
	if e := mustState(t, state.path).get(feed.url()); e != (stateEntry{"s", 1}) {
		t.Errorf("%v is kept, want s 1", e)
	}
}

// TestSecretSessionDoesNotWait: a session that is never stored does not wait for the disk.
func TestSecretSessionDoesNotWait(t *testing.T) {
	var disk hangingDisk
	var log testkit.Log
	state := stateOn(t, &log, disk.write)
	defer state.Close()
	letGo := disk.hang(t)
	feed := newTestFeed(t)
	cfg := testConfig(t, feed.url(), accept)
	cfg.State, cfg.Token = state, credential.NewSecret([]byte("t0psecret"))
	r := start(t, cfg)
	feed.login(1, `{"session":"plain"}`).Close()
	conn := feed.login(1, `{"session":"for t0psecret"}`)
	conn.data(1, "x")
	conn.expect(fg1.Ack, 0, 1)
	letGo()
	conn.bye()
	conn.expect(fg1.Bye, 0, 0)
	conn.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestLateReport: a late timer does not report a later disk operation.
func TestLateReport(t *testing.T) {
	var log testkit.Log
	s := &State{log: log.Logger()}
	before := time.Now().Add(-time.Hour)
	s.useDisk(func() {
		s.reportHang(before)
		if err := s.Ready(); err != nil || log.Has("hangs") {
			t.Errorf("%v, %s", err, log.String())
		}
		s.reportHang(s.busySince)
		s.reportHang(before)
		if s.Ready() == nil || log.Count("hangs") != 1 {
			t.Errorf("a disk that hangs is not reported once: %s", log.String())
		}
	})
	s.reportHang(before)
	if err := s.Ready(); err != nil || !log.Has("responds again") {
		t.Errorf("%v, %s", err, log.String())
	}
}

// TestOlderWriteEnds: the end of an earlier session's write does not end the wait of the current
// session.
func TestOlderWriteEnds(t *testing.T) {
	s := session{awaitedWrite: 2}
	if s.writeEnded(nil, 1, nil); s.awaitedWrite != 2 {
		t.Error("the end of an older write ends the wait")
	}
	if s.writeEnded(nil, 2, nil); s.awaitedWrite != 0 {
		t.Error("the end of the write does not end the wait")
	}
}
