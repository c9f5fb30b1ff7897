package accept

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestStateFileOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	state := "--state=" + filepath.Join(t.TempDir(), "state")
	s := listenFG(t)
	first := run(t, s.url(), state)
	c := s.accept()
	c.welcome(1, `{"session":"kept"}`)
	c.send(data(1, "a"), data(2, "b"), data(3, "c"))
	c.acked(1, 2, 3)
	first.stop(c)

	second := run(t, s.url(), state)
	c = s.accept()
	if seq, h := c.welcome(4, `{"session":"kept"}`); seq != 3 || *h.Session != "kept" {
		t.Errorf("HELLO seq %d session %q, want 3 and kept", seq, *h.Session)
	}
	c.send(data(4, "d"))
	c.acked(4)
	second.stop(c)
}

// TestStateFileAfterKill: without a chance to write it at the end, the file is at
// most a second old, and not ahead of what is done.
func TestStateFileAfterKill(t *testing.T) {
	t.Parallel()
	kids, door := newChildren(t), newGate(t)
	state := "--state=" + filepath.Join(t.TempDir(), "state")
	s := listenFG(t)
	first := run(t, s.url(), state, "--workers=4", "--dispatch=key", "--key=field:1: ", kids.sink(t))
	c := s.accept()
	c.welcome(1, `{"session":"killed"}`)
	c.send(data(1, "a"), data(2, "b"))
	c.acked(1, 2)
	c.send(data(3, "stuck "+door.wait()))
	eventually(t, "a child waits", func() bool { return len(kids.deliveries(t)) == 3 })
	for seq := uint64(4); seq < 20; seq++ {
		c.send(data(seq, fmt.Sprint("key", seq)))
	}
	c.acks(1)
	// Well beyond the age that the file may have.
	time.Sleep(3 * time.Second)
	first.signal(syscall.SIGKILL)
	c.leave()

	second := run(t, s.url(), state)
	c = s.accept()
	if seq, h := c.welcome(3, `{"session":"killed"}`); seq != 2 || *h.Session != "killed" {
		t.Errorf("HELLO seq %d session %q, want 2 and killed", seq, *h.Session)
	}
	// A process that starts knows of no message that it has finished.
	c.send(data(3, "stuck"), data(4, "key4"))
	c.acked(3, 4)
	second.stop(c)
}

// TestStateFileIsPerURL: two upstreams of one process do not mix theirs.
func TestStateFileIsPerURL(t *testing.T) {
	t.Parallel()
	state := "--state=" + filepath.Join(t.TempDir(), "state")
	a, b := listenFG(t), listenFG(t)
	for round := range uint64(2) {
		p := run(t, a.url(), b.url(), state)
		var conns []*fgConn
		for i, s := range []*fgServer{a, b} {
			c := s.accept()
			session := fmt.Sprint("session-", i)
			first := uint64(100*i) + round + 1
			if seq, h := c.welcome(first, `{"session":"`+session+`"}`); round == 1 && (seq != first-1 || *h.Session != session) {
				t.Errorf("HELLO seq %d session %q, want %d and %s", seq, *h.Session, first-1, session)
			}
			c.send(data(first, "m"))
			c.acked(first)
			conns = append(conns, c)
		}
		p.stop(conns...)
	}
}
