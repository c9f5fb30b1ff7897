package exec

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/testkit"
)

// TestExecStrayByte: a byte that a child writes while no message is unanswered ends the child, and
// resolves nothing.
func TestExecStrayByte(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	stray := filepath.Join(t.TempDir(), "stray")
	log := new(testkit.Log)
	s := openExec(t, command, defaultGrace, sink.Config{Log: log.Tee(t)})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("stray "+stray))
	g.Wait(1)
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g.WaitFor("the log", func() bool { return log.Count(errUnasked.Error()) == 1 })
	g.Send(0, []byte("code 2"))
	g.Wait(2)
	if g.Code(1) != worker.BadRequest {
		t.Errorf("code %d", g.Code(1))
	}
	g.Stop()
	if n := countEntries(readLedger(t, ledger), "start"); n != 2 {
		t.Errorf("%d children, want 2", n)
	}
}

// TestExecByteTooMany: a byte too many before an answer shifts its code, and is a fault.
func TestExecByteTooMany(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	s := openExec(t, command, defaultGrace, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("a"))
	g.Wait(1)
	g.Send(0, []byte("shifted"))
	g.Wait(2)
	g.Send(0, []byte("b"))
	g.Wait(3)
	if g.Code(1) != worker.Refused || g.Code(2) != worker.OK {
		t.Errorf("codes %d and %d", g.Code(1), g.Code(2))
	}
	g.Stop()
	if n := countEntries(readLedger(t, ledger), "shifted"); n != crashLimit {
		t.Errorf("delivered %d times, want %d", n, crashLimit)
	}
}

// announced is a mutex that closes waiting when it is unlocked.
type announced struct {
	*sync.Mutex
	waiting chan struct{}
}

func (m announced) Unlock() {
	close(m.waiting)
	m.Mutex.Unlock()
}

// TestExecByteBeforeAMessage: a child that has written a byte before its first message gets no
// message, also if the byte was not read yet.
func TestExecByteBeforeAMessage(t *testing.T) {
	for text, handed := range map[string]bool{"": true, "\n": false, "\x00\x00": false} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := newOutput(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
		c := &child{out: out}
		h := &executor{ctx: context.Background(), child: c, queue: queue{items: []queued{{data: []byte("m")}}}}
		waiting := make(chan struct{})
		h.changed = sync.NewCond(announced{&h.mu, waiting})
		next := make(chan []byte, 1)
		go func() { next <- h.next(c, nil) }()
		select {
		case got := <-next:
			if !handed {
				t.Errorf("%q: the child got %q", text, got)
			}
		case <-waiting:
			if handed {
				t.Errorf("%q: the child got nothing", text)
			}
			h.mu.Lock()
			h.child = nil
			h.changed.Broadcast()
			h.mu.Unlock()
			<-next
		}
		r.Close()
		w.Close()
	}
}

// TestExecFaultHints: faults name the likely cause.
func TestExecFaultHints(t *testing.T) {
	for _, err := range []error{errUnasked, errEarly, errCode(26479)} {
		if !strings.Contains(err.Error(), "does it print text to its standard output?") {
			t.Errorf("%v", err)
		}
	}
}
