package sink

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
		if worker.Code(code).ForHandlers() {
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

// A child that echoes its input has answered nothing, though a length begins like a
// code.
func TestExecEcho(t *testing.T) {
	s := openSink(t, "exec:exec cat", Config{})
	r := newRig(t, s, 1, 64)
	r.send(0, []byte("one"))
	r.send(0, []byte("two"))
	r.waitFor("the fault", func() bool {
		err := s.Ready()
		return err != nil && strings.Contains(err.Error(), "it answered ")
	})
	r.none(0)
	r.stop()
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
