package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStateFileResumesTheSession(t *testing.T) {
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

// TestStateFileMayBeALink: the target of a symbolic link is created or replaced, and keeps its
// permissions. A FIFO is refused and does not block.
func TestStateFileMayBeALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link, target, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "target"), filepath.Join(dir, "fifo")
	if err := errors.Join(os.Symlink("target", link), syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := listenFG(t)
	for _, mode := range []os.FileMode{0o600, 0o640} {
		p := run(t, s.url(), "--sink=discard:", "--state="+link)
		c := s.accept()
		c.welcome(1, `{"session":"kept"}`)
		c.send(data(1, "a"))
		c.acked(1)
		p.stop(c)
		if to, err := os.Readlink(link); err != nil || to != "target" {
			t.Fatalf("the link is %q, %v", to, err)
		}
		text, err := os.ReadFile(target)
		info, statErr := os.Stat(target)
		if err != nil || statErr != nil || !strings.Contains(string(text), "kept") || info.Mode().Perm() != mode {
			t.Errorf("%v, %v: mode %v, want %v; %q", err, statErr, info.Mode(), mode, text)
		}
		if err := os.Chmod(target, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	got := command(t, nil, "run", s.url(), "--sink=discard:", "--admin=", "--state="+fifo)
	if got.status != 1 || !strings.Contains(got.stderr, "feedgate: --state: ") {
		t.Errorf("a FIFO: status %d, %s", got.status, got.stderr)
	}
}

// TestStateFileIsWrittenEverySecond: after a kill, it is at most a second old, and does not include
// unfinished messages.
func TestStateFileIsWrittenEverySecond(t *testing.T) {
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
	// Longer than the maximum age of the file, even on a busy machine.
	time.Sleep(3 * time.Second)
	first.signal(syscall.SIGKILL)
	c.leave()

	second := run(t, s.url(), state)
	c = s.accept()
	if seq, h := c.welcome(3, `{"session":"killed"}`); seq != 2 || *h.Session != "killed" {
		t.Errorf("HELLO seq %d session %q, want 2 and killed", seq, *h.Session)
	}
	// After a restart, the gateway does not know which later messages were finished.
	c.send(data(3, "stuck"), data(4, "key4"))
	c.acked(3, 4)
	second.stop(c)
}

// TestStateFileHasASessionPerURL: two upstreams of a process resume their own.
func TestStateFileHasASessionPerURL(t *testing.T) {
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
