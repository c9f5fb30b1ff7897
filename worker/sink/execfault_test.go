package sink

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"feedgate/worker"
)

// Text on standard output completes nothing. Once the command has answered
// anything, the message that makes a child print it is refused like one that ends it.
func TestExecTextIsNoAnswer(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	log := new(logBuffer)
	s := openSink(t, "exec:"+command, Config{Log: log.logger(t)})
	r := newRig(t, s, 1, 64)
	r.send(0, []byte("a"))
	r.wait(1)
	r.send(0, []byte("text"))
	r.send(0, []byte("b"))
	r.wait(3)
	if r.code(0) != worker.OK || r.code(1) != worker.Refused || r.code(2) != worker.OK {
		t.Errorf("codes %d, %d, %d", r.code(0), r.code(1), r.code(2))
	}
	r.stop()
	if n := countEntries(readLedger(t, ledger), "text"); n != deathLimit {
		t.Errorf("delivered %d times, want %d", n, deathLimit)
	}
	if log.count("it answered 26479") == 0 || log.count("got") > 0 {
		t.Error("the log does not name the fault, or has the text")
	}
}

func TestExecCodesThatNoChildMayAnswer(t *testing.T) {
	for _, code := range []int{3, 7, 999, 8192, 65535} {
		if answerable(worker.Code(code)) {
			t.Errorf("%d is a code", code)
		}
		command, _ := childCommand(t, "plain")
		s := openSink(t, "exec:"+command, Config{})
		r := newRig(t, s, 1, 64)
		r.send(0, []byte("a"))
		r.wait(1)
		r.send(0, fmt.Appendf(nil, "code %d", code))
		r.send(0, []byte("b"))
		r.wait(3)
		if r.code(1) != worker.Refused || r.code(2) != worker.OK {
			t.Errorf("%d: codes %d, %d", code, r.code(1), r.code(2))
		}
		r.stop()
	}
}

// A message that is not completely written cannot have been handled.
func TestExecEarlyAnswer(t *testing.T) {
	command, _ := childCommand(t, "early")
	s := openSink(t, "exec:"+command, Config{})
	r := newRig(t, s, 1, 64)
	r.send(0, make([]byte, 3<<20))
	r.waitFor("the fault", func() bool {
		err := s.Ready()
		return err != nil && strings.Contains(err.Error(), errEarly.Error())
	})
	r.none(0)
	r.stop()
}

// A child that has not read a message has not died of it.
func TestExecDeathsBeforeTheMessage(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	broken := filepath.Join(t.TempDir(), "broken")
	s := openSink(t, "exec:if [ -e '"+broken+"' ]; then exit 3; fi; "+command, Config{})
	r := newRig(t, s, 1, 64)
	r.send(0, []byte("a"))
	r.wait(1)
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.send(0, []byte("die-once "+filepath.Join(t.TempDir(), "once")))
	h := s.(*execSink).open[0]
	var gone []*child
	r.waitFor("deaths", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.child != nil && !slices.Contains(gone, h.child) {
			gone = append(gone, h.child)
		}
		return len(gone) > 3*deathLimit
	})
	r.none(1)
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	r.wait(2)
	r.stop()
	if r.refused > 0 {
		t.Errorf("refused; %q", whats(readLedger(t, ledger)))
	}
}

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
	<-stopped
}

// A child that dies in the drain before it has read a message has not died of it.
func TestExecDrainCountsWhatWasRead(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	broken := filepath.Join(t.TempDir(), "broken")
	s := openSink(t, "exec:if [ -e '"+broken+"' ]; then sleep 0.05; exit 3; fi; "+command, Config{})
	r := newRig(t, s, 1, 64)
	r.send(0, []byte("a"))
	r.wait(1)
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.send(0, []byte("die-once "+filepath.Join(t.TempDir(), "once")))
	r.pool.Drain()
	h := s.(*execSink).open[0]
	var gone []*child
	r.waitFor("deaths", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.child != nil && !slices.Contains(gone, h.child) {
			gone = append(gone, h.child)
		}
		return len(gone) > 2*deathLimit
	})
	r.none(1)
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	r.wait(2)
	r.stop()
	if r.refused > 0 {
		t.Errorf("refused; %q", whats(readLedger(t, ledger)))
	}
}

// A message that kills each child is refused in the drain, too.
func TestExecDrainRefusesAtTheThirdDeath(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	s := openSink(t, "exec:"+command, Config{})
	r := newRig(t, s, 1, 64)
	r.send(0, []byte("a"))
	r.wait(1)
	r.pool.Drain()
	eventually(t, "the end of the input", func() bool { return countEntries(readLedger(t, ledger), "eof") == 1 })
	r.send(0, []byte("die"))
	r.wait(2)
	if r.code(1) != worker.Refused {
		t.Errorf("code %d", r.code(1))
	}
	r.stop()
	if n := countEntries(readLedger(t, ledger), "die"); n != deathLimit {
		t.Errorf("%d deaths, want %d", n, deathLimit)
	}
}

func TestExecStarved(t *testing.T) {
	starved := func(s worker.Sink) bool {
		s.(*execSink).mu.Lock()
		defer s.(*execSink).mu.Unlock()
		return s.(*execSink).open[0].Starved()
	}
	// One that answers at the end of its input has read everything.
	command, _ := childCommand(t, "at-end")
	s := openSink(t, "exec:"+command, Config{})
	r := newRig(t, s, 1, 64)
	if starved(s) {
		t.Error("starved without a message")
	}
	r.send(0, []byte("one"))
	eventually(t, "hunger", func() bool { return starved(s) })
	r.send(0, []byte("two"))
	eventually(t, "hunger", func() bool { return starved(s) })
	r.pool.Drain()
	r.wait(2)
	r.stop()

	// One that does not read is not starved.
	command, ledger := childCommand(t, "deaf")
	s = openSink(t, "exec:"+command, Config{Grace: shortGrace})
	r = newRig(t, s, 1, 64)
	r.send(0, []byte("one"))
	eventually(t, "the child", func() bool { return countEntries(readLedger(t, ledger), "deaf") == 1 })
	h := s.(*execSink).open[0]
	eventually(t, "the write", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.child != nil && h.line.framed > 0 && h.child.in.accepted() == h.line.framed
	})
	if starved(s) {
		t.Error("starved with input that it has not read")
	}
	r.stop()
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

func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logBuffer)
		r := newRepeats(slog.New(slog.NewTextHandler(log, nil)), slog.LevelWarn, "happened")
		expect := func(lines int, latest string) {
			t.Helper()
			synctest.Wait()
			if log.count("happened") != lines || log.count(latest) != 1 {
				t.Errorf("want %d lines, one with %q; have\n%s", lines, latest, log.buf.String())
			}
		}
		r.add("number", 1)
		expect(1, "number=1 count=1")
		for i := range 10 {
			r.add("number", 2+i)
		}
		expect(1, "number=1 count=1")
		time.Sleep(repeatInterval)
		expect(2, "number=11 count=10")
		time.Sleep(5 * repeatInterval)
		r.add("number", 12)
		expect(3, "number=12 count=1")
		r.add("number", 13)
		r.close()
		expect(4, "number=13 count=1")
		r.close()
		r.add("number", 14)
		expect(5, "number=14 count=1")
	})
}
