package sink

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestExecStart(t *testing.T) {
	for _, c := range []struct{ command, want string }{
		{"exit 3", "--sink: child 1 of 2 ended at once: exit status 3"},
		{"exit 0", "--sink: child 1 of 2 ended at once: exit status 0"},
		{"kill -9 $$", "--sink: child 1 of 2 ended at once: signal: killed"},
		{"/nonexistent/handler 2>/dev/null", "exit status 127 (the command was not found)"},
		{"/dev/null 2>/dev/null", "exit status 126 (the command cannot be executed)"},
		{"echo hello; exec sleep 60", "wrote to its standard output before it had a message"},
	} {
		s := openSink(t, "exec:"+c.command, Config{})
		err := s.(Starter).Start(t.Context(), 2)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hello") {
			t.Errorf("%s: %v", c.command, err)
		}
	}
}

// One of several that fails is enough.
func TestExecStartOfTheLastFails(t *testing.T) {
	first := filepath.Join(t.TempDir(), "first")
	s := openSink(t, "exec:mkdir '"+first+"' 2>/dev/null && exec sleep 60; exit 4", Config{})
	err := s.(Starter).Start(t.Context(), 3)
	if err == nil || !strings.Contains(err.Error(), "exit status 4") {
		t.Error(err)
	}
}

// The children that Start starts are those that get the messages; further handlers
// start their own.
func TestExecStartedChildrenAreAdopted(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	s := openSink(t, "exec:"+command, Config{})
	if err := s.(Starter).Start(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, s, 3, 64)
	for w := range 3 {
		r.send(w, []byte("m"))
	}
	r.wait(3)
	r.stop()
	pids := map[int]int{}
	for _, e := range readLedger(t, ledger) {
		pids[e.pid]++
	}
	if n := countEntries(readLedger(t, ledger), "start"); n != 3 || len(pids) != 3 {
		t.Errorf("%d starts, %v", n, pids)
	}
}

// A child that nobody adopts ends with the sink, whatever it ignores.
func TestExecStartedChildrenEndWithTheSink(t *testing.T) {
	command, ledger := childCommand(t, "deaf")
	s := openSink(t, "exec:"+command, Config{Grace: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.(Starter).Start(ctx, 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two children", func() bool { return countEntries(readLedger(t, ledger), "deaf") == 2 })
}

// A pool that is stopped with messages unanswered does not wait for children.
func TestExecStopsAtOnce(t *testing.T) {
	command, ledger := childCommand(t, "deaf")
	s := openSink(t, "exec:"+command, Config{Grace: time.Hour})
	r := newRig(t, s, 2, 64)
	r.send(0, []byte("m"))
	r.send(1, []byte("m"))
	eventually(t, "two children", func() bool { return countEntries(readLedger(t, ledger), "deaf") == 2 })
	r.pool.Drain()
	start := time.Now()
	r.stop()
	if d := time.Since(start); d > patience/2 {
		t.Errorf("took %v", d)
	}
	r.none(0)
}

// After a drain a child has the grace period to end, until there is a hurry.
func TestExecHurry(t *testing.T) {
	command, ledger := childCommand(t, "linger")
	hurry := make(chan struct{})
	s := openSink(t, "exec:trap '' TERM; "+command, Config{Grace: time.Hour, Hurry: hurry})
	r := newRig(t, s, 1, 64)
	r.send(0, []byte("m"))
	r.wait(1)
	r.pool.Drain()
	eventually(t, "the end of the input", func() bool { return countEntries(readLedger(t, ledger), "eof") == 1 })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.stop()
	}()
	select {
	case <-stopped:
		t.Error("the child was not given its grace period")
	case <-time.After(50 * time.Millisecond):
	}
	close(hurry)
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Error("the hurry had no effect")
		<-stopped // the child's own end
	}
}

func TestExecEnvironment(t *testing.T) {
	t.Setenv("FEEDGATE_WS_HEADER", "Authorization: secret")
	t.Setenv("SINK_TEST_OTHER", "kept")
	got := filepath.Join(t.TempDir(), "env")
	s := openSink(t, "exec:env >'"+got+"'; exec sleep 60", Config{Grace: shortGrace})
	r := newRig(t, s, 1, 64)
	var env []byte
	eventually(t, "the environment", func() bool {
		env, _ = os.ReadFile(got)
		return bytes.Contains(env, []byte("SINK_TEST_OTHER=kept\n"))
	})
	r.stop()
	if bytes.Contains(env, []byte("FEEDGATE_")) {
		t.Error("a child sees our settings")
	}
}
