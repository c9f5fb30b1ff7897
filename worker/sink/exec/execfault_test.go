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

// Text on standard output completes nothing. Once the command has answered
// anything, the message that makes a child print it is refused like one that ends it.
func TestExecTextIsNoAnswer(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	log := new(testkit.Log)
	s := openExec(t, command, defaultGrace, sink.Config{Log: log.Tee(t)})
	r := handlertest.Start(t, s, 1, 64)
	r.Send(0, []byte("a"))
	r.Wait(1)
	r.Send(0, []byte("text"))
	r.Send(0, []byte("b"))
	r.Wait(3)
	if r.Code(0) != worker.OK || r.Code(1) != worker.Refused || r.Code(2) != worker.OK {
		t.Errorf("codes %d, %d, %d", r.Code(0), r.Code(1), r.Code(2))
	}
	r.Stop()
	if n := countEntries(readLedger(t, ledger), "text"); n != deathLimit {
		t.Errorf("delivered %d times, want %d", n, deathLimit)
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
		r := handlertest.Start(t, s, 1, 64)
		r.Send(0, []byte("a"))
		r.Wait(1)
		r.Send(0, fmt.Appendf(nil, "code %d", code))
		r.Send(0, []byte("b"))
		r.Wait(3)
		if r.Code(1) != worker.Refused || r.Code(2) != worker.OK {
			t.Errorf("%d: codes %d, %d", code, r.Code(1), r.Code(2))
		}
		r.Stop()
	}
}

// A child that echoes its input has answered nothing, though a length begins like a
// code.
func TestExecEcho(t *testing.T) {
	s := openExec(t, "exec cat", defaultGrace, sink.Config{})
	r := handlertest.Start(t, s, 1, 64)
	r.Send(0, []byte("one"))
	r.Send(0, []byte("two"))
	r.WaitFor("the fault", func() bool {
		err := s.Ready()
		return err != nil && strings.Contains(err.Error(), "it answered ")
	})
	r.None(0)
	r.Stop()
}

// A message that is not completely written cannot have been handled.
func TestExecEarlyAnswer(t *testing.T) {
	command, _ := childCommand(t, "early")
	s := openExec(t, command, defaultGrace, sink.Config{})
	r := handlertest.Start(t, s, 1, 64)
	r.Send(0, make([]byte, 3<<20))
	r.WaitFor("the fault", func() bool {
		err := s.Ready()
		return err != nil && strings.Contains(err.Error(), errEarly.Error())
	})
	r.None(0)
	r.Stop()
}

// A child that has not read a message has not died of it.
func TestExecDeathsBeforeTheMessage(t *testing.T) {
	diesUnread(t, "exit 3", 3*deathLimit, func(*handlertest.Gateway) {})
}

// A child that dies in the drain before it has read a message has not died of it.
func TestExecDrainCountsWhatWasRead(t *testing.T) {
	diesUnread(t, "sleep 0.05; exit 3", 2*deathLimit, func(r *handlertest.Gateway) { r.Drain() })
}

// diesUnread has more children than most do what dies says, before they have read the
// message that would kill one of them; it is handled by one that comes up. sent is called
// once the message was sent.
func diesUnread(t *testing.T, dies string, most int, sent func(*handlertest.Gateway)) {
	t.Helper()
	command, ledger := childCommand(t, "plain")
	broken := filepath.Join(t.TempDir(), "broken")
	s := openExec(t, "if [ -e '"+broken+"' ]; then "+dies+"; fi; "+command, defaultGrace, sink.Config{})
	r := handlertest.Start(t, s, 1, 64)
	r.Send(0, []byte("a"))
	r.Wait(1)
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.Send(0, []byte("die-once "+filepath.Join(t.TempDir(), "once")))
	sent(r)
	h := s.open[0]
	var gone []*child
	r.WaitFor("deaths", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.child != nil && !slices.Contains(gone, h.child) {
			gone = append(gone, h.child)
		}
		return len(gone) > most
	})
	r.None(1)
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	r.Wait(2)
	r.Stop()
	if r.Refused > 0 {
		t.Errorf("refused; %q", whats(readLedger(t, ledger)))
	}
}

// A message that kills each child is refused in the drain, too.
func TestExecDrainRefusesAtTheThirdDeath(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	s := openExec(t, command, defaultGrace, sink.Config{})
	r := handlertest.Start(t, s, 1, 64)
	r.Send(0, []byte("a"))
	r.Wait(1)
	r.Drain()
	testkit.Eventually(t, "the end of the input", func() bool { return countEntries(readLedger(t, ledger), "eof") == 1 })
	r.Send(0, []byte("die"))
	r.Wait(2)
	if r.Code(1) != worker.Refused {
		t.Errorf("code %d", r.Code(1))
	}
	r.Stop()
	if n := countEntries(readLedger(t, ledger), "die"); n != deathLimit {
		t.Errorf("%d deaths, want %d", n, deathLimit)
	}
}

func TestExecStarved(t *testing.T) {
	starved := func(s *execSink) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.open[0].starved()
	}
	// One that answers at the end of its input has read everything.
	command, _ := childCommand(t, "at-end")
	s := openExec(t, command, defaultGrace, sink.Config{})
	r := handlertest.Start(t, s, 1, 64)
	if starved(s) {
		t.Error("starved without a message")
	}
	r.Send(0, []byte("one"))
	testkit.Eventually(t, "hunger", func() bool { return starved(s) })
	r.Send(0, []byte("two"))
	testkit.Eventually(t, "hunger", func() bool { return starved(s) })
	r.Drain()
	r.Wait(2)
	r.Stop()

	// One that does not read is not starved.
	command, ledger := childCommand(t, "deaf")
	s = openExec(t, command, shortGrace, sink.Config{})
	r = handlertest.Start(t, s, 1, 64)
	r.Send(0, []byte("one"))
	testkit.Eventually(t, "the child", func() bool { return countEntries(readLedger(t, ledger), "deaf") == 1 })
	h := s.open[0]
	testkit.Eventually(t, "the write", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.child != nil && h.line.framed > 0 && h.child.in.accepted() == h.line.framed
	})
	if starved(s) {
		t.Error("starved with input that it has not read")
	}
	r.Stop()
}
