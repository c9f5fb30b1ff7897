package exec

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/testkit"
)

// TestExecTextIsNoAnswer: text on standard output resolves nothing. Once the command has answered
// any message, one on which children print text is refused like one on which they crash.
func TestExecTextIsNoAnswer(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	log := new(testkit.Log)
	s := openExec(t, command, defaultGrace, sink.Config{Log: log.Tee(t)})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("a"))
	g.Wait(1)
	g.Send(0, []byte("text"))
	g.Send(0, []byte("b"))
	g.Wait(3)
	if g.Code(0) != worker.OK || g.Code(1) != worker.Refused || g.Code(2) != worker.OK {
		t.Errorf("codes %d, %d, %d", g.Code(0), g.Code(1), g.Code(2))
	}
	g.Stop()
	if n := countEntries(readLedger(t, ledger), "text"); n != crashLimit {
		t.Errorf("delivered %d times, want %d", n, crashLimit)
	}
	if log.Count("it answered 26479") == 0 || log.Count("got") > 0 {
		t.Error("the log does not name the fault, or has the text")
	}
}

func TestExecCodesThatNoChildMayAnswer(t *testing.T) {
	for _, code := range []int{3, 7, 999, 8192, 65535} {
		if worker.Code(code).ForHandlers() {
			t.Errorf("%d is a code", code)
		}
		command, _ := childCommand(t, "plain")
		s := openExec(t, command, defaultGrace, sink.Config{})
		g := handlertest.Start(t, s, 1, 64)
		g.Send(0, []byte("a"))
		g.Wait(1)
		g.Send(0, fmt.Appendf(nil, "code %d", code))
		g.Send(0, []byte("b"))
		g.Wait(3)
		if g.Code(1) != worker.Refused || g.Code(2) != worker.OK {
			t.Errorf("%d: codes %d, %d", code, g.Code(1), g.Code(2))
		}
		g.Stop()
	}
}

// TestExecEcho: a child that echoes its input has answered nothing, although a length begins like a
// code.
func TestExecEcho(t *testing.T) {
	s := openExec(t, "exec cat", defaultGrace, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("one"))
	g.Send(0, []byte("two"))
	g.WaitFor("the fault", func() bool {
		err := s.Ready()
		return err != nil && strings.Contains(err.Error(), "it answered ")
	})
	g.WantResolved(0)
	g.Stop()
}

// TestExecEarlyAnswer: an answer to a message that is not completely written is a fault.
func TestExecEarlyAnswer(t *testing.T) {
	command, _ := childCommand(t, "early")
	s := openExec(t, command, defaultGrace, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, make([]byte, 3<<20))
	g.WaitFor("the fault", func() bool {
		err := s.Ready()
		return err != nil && strings.Contains(err.Error(), errEarly.Error())
	})
	g.WantResolved(0)
	g.Stop()
}

// TestExecCrashesBeforeTheMessage: a child that has not read a message has not crashed on it.
func TestExecCrashesBeforeTheMessage(t *testing.T) {
	crashesUnread(t, "exit 3", 3*crashLimit, func(*handlertest.Gateway) {})
}

// TestExecDrainCountsWhatWasRead: that is also true in a drain.
func TestExecDrainCountsWhatWasRead(t *testing.T) {
	crashesUnread(t, "sleep 0.05; exit 3", 2*crashLimit, func(g *handlertest.Gateway) { g.Drain() })
}

// crashesUnread starts more than most children that run the command crash instead of reading the
// message, on which one child will then crash. The next one handles it. sent is called once the
// message is sent.
func crashesUnread(t *testing.T, crash string, most int, sent func(*handlertest.Gateway)) {
	t.Helper()
	command, ledger := childCommand(t, "plain")
	broken := filepath.Join(t.TempDir(), "broken")
	s := openExec(t, "if [ -e '"+broken+"' ]; then "+crash+"; fi; "+command, defaultGrace, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("a"))
	g.Wait(1)
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g.Send(0, []byte("die-once "+filepath.Join(t.TempDir(), "once")))
	sent(g)
	h := s.open[0]
	var gone []*child
	g.WaitFor("crashes", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.child != nil && !slices.Contains(gone, h.child) {
			gone = append(gone, h.child)
		}
		return len(gone) > most
	})
	g.WantResolved(1)
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	g.Wait(2)
	g.Stop()
	if g.Refused > 0 {
		t.Errorf("refused; %q", whats(readLedger(t, ledger)))
	}
}

// TestExecDrainRefusesAtTheThirdCrash: a message on which each child crashes is refused in a drain,
// too.
func TestExecDrainRefusesAtTheThirdCrash(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	s := openExec(t, command, defaultGrace, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("a"))
	g.Wait(1)
	g.Drain()
	testkit.Eventually(t, "the end of the input", func() bool { return countEntries(readLedger(t, ledger), "eof") == 1 })
	g.Send(0, []byte("die"))
	g.Wait(2)
	if g.Code(1) != worker.Refused {
		t.Errorf("code %d", g.Code(1))
	}
	g.Stop()
	if n := countEntries(readLedger(t, ledger), "die"); n != crashLimit {
		t.Errorf("%d crashes, want %d", n, crashLimit)
	}
}

func TestExecStarved(t *testing.T) {
	starved := func(s *execSink) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.open[0].starved()
	}
	// A child that answers at the end of its input has read everything.
	command, _ := childCommand(t, "at-end")
	s := openExec(t, command, defaultGrace, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	if starved(s) {
		t.Error("starved without a message")
	}
	g.Send(0, []byte("one"))
	testkit.Eventually(t, "starved", func() bool { return starved(s) })
	g.Send(0, []byte("two"))
	testkit.Eventually(t, "starved", func() bool { return starved(s) })
	g.Drain()
	g.Wait(2)
	g.Stop()

	// A child that does not read is not starved.
	command, ledger := childCommand(t, "neverreads")
	s = openExec(t, command, shortGrace, sink.Config{})
	g = handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("one"))
	testkit.Eventually(t, "the child", func() bool { return countEntries(readLedger(t, ledger), "neverreads") == 1 })
	h := s.open[0]
	testkit.Eventually(t, "the write", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.child != nil && h.queue.framed > 0 && h.child.in.accepted() == h.queue.framed
	})
	if starved(s) {
		t.Error("starved with input that it has not read")
	}
	g.Stop()
}
