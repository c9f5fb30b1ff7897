package exec

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/testkit"
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
		s := openExec(t, c.command, defaultGrace, sink.Config{})
		err := s.Start(t.Context(), 2)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hello") {
			t.Errorf("%s: %v", c.command, err)
		}
	}
}

// TestExecStartOfTheLastFails: Start fails if any child does.
func TestExecStartOfTheLastFails(t *testing.T) {
	first := filepath.Join(t.TempDir(), "first")
	s := openExec(t, "mkdir '"+first+"' 2>/dev/null && exec sleep 60; exit 4", defaultGrace, sink.Config{})
	err := s.Start(t.Context(), 3)
	if err == nil || !strings.Contains(err.Error(), "exit status 4") {
		t.Error(err)
	}
}

// TestExecStartedChildrenAreUsed: handlers use the children that Start has started; further
// handlers start their own.
func TestExecStartedChildrenAreUsed(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	s := openExec(t, command, defaultGrace, sink.Config{})
	if err := s.Start(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	g := handlertest.Start(t, s, 3, 64)
	for w := range 3 {
		g.Send(w, []byte("m"))
	}
	g.Wait(3)
	g.Stop()
	pids := map[int]int{}
	for _, e := range readLedger(t, ledger) {
		pids[e.pid]++
	}
	if n := countEntries(readLedger(t, ledger), "start"); n != 3 || len(pids) != 3 {
		t.Errorf("%d starts, %v", n, pids)
	}
}

// TestExecStartedChildrenEndWithTheSink: a child without a handler ends with the sink, whatever
// signal it ignores.
func TestExecStartedChildrenEndWithTheSink(t *testing.T) {
	command, ledger := childCommand(t, "neverreads")
	s := openExec(t, command, time.Hour, sink.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Start(ctx, 2); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "two children", func() bool { return countEntries(readLedger(t, ledger), "neverreads") == 2 })
}

// TestExecStopsAtOnce: a stop with unanswered messages does not wait for children.
func TestExecStopsAtOnce(t *testing.T) {
	command, ledger := childCommand(t, "neverreads")
	s := openExec(t, command, time.Hour, sink.Config{})
	g := handlertest.Start(t, s, 2, 64)
	g.Send(0, []byte("m"))
	g.Send(1, []byte("m"))
	testkit.Eventually(t, "two children", func() bool { return countEntries(readLedger(t, ledger), "neverreads") == 2 })
	g.Drain()
	start := time.Now()
	g.Stop()
	if d := time.Since(start); d > testkit.Patience/2 {
		t.Errorf("took %v", d)
	}
	g.WantResolved(0)
}

// TestExecHurry: after a drain, a child has the grace period to end, until Hurry is closed.
func TestExecHurry(t *testing.T) {
	command, ledger := childCommand(t, "linger")
	hurry := make(chan struct{})
	s := openExec(t, "trap '' TERM; "+command, time.Hour, sink.Config{Hurry: hurry})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("m"))
	g.Wait(1)
	g.Drain()
	testkit.Eventually(t, "the end of the input", func() bool { return countEntries(readLedger(t, ledger), "eof") == 1 })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		g.Stop()
	}()
	select {
	case <-stopped:
		t.Error("the child had no grace period")
	case <-time.After(50 * time.Millisecond):
	}
	close(hurry)
	select {
	case <-stopped:
	case <-time.After(testkit.Patience):
		t.Error("Hurry had no effect")
		<-stopped // the child ends by itself
	}
}

func TestExecEnvironment(t *testing.T) {
	t.Setenv("FEEDGATE_WS_HEADER", "Authorization: secret")
	t.Setenv("SINK_TEST_OTHER", "kept")
	got := filepath.Join(t.TempDir(), "env")
	s := openExec(t, "env >'"+got+"'; exec sleep 60", shortGrace, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	var env []byte
	testkit.Eventually(t, "the environment", func() bool {
		env, _ = os.ReadFile(got)
		return bytes.Contains(env, []byte("SINK_TEST_OTHER=kept\n"))
	})
	g.Stop()
	if bytes.Contains(env, []byte("FEEDGATE_")) {
		t.Error("a child has feedgate's settings")
	}
}
