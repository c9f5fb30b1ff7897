package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStrayByteOfAnIdleChild: a byte that a child writes while it has no message does not become part of
// a later answer, even if a message follows immediately.
func TestStrayByteOfAnIdleChild(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	stray := filepath.Join(t.TempDir(), "stray")
	p, _, c := connectFG(t, "{}", "--workers=1", kids.sink(t))
	c.send(data(1, "stray="+stray))
	c.acked(1)
	first := kids.deliveries(t)[0].pid
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.waitStray(stray)
	c.send(data(2, "code=1"))
	if got := c.acks(1); got[2] != 1 {
		t.Errorf("acks %v, want code 1 for message 2", got)
	}
	c.send(data(3, "code=2"))
	if got := c.acks(1); got[3] != 2 {
		t.Errorf("acks %v, want code 2 for message 3", got)
	}
	gone(t, first)
	p.waitLog("exec child failed", "does it print text to its standard output?")
	p.stop(c)
	childrenGone(t, kids)
}

// TestStrayByteBeforeTheFirstMessage: the byte is written after the check at the start.
func TestStrayByteBeforeTheFirstMessage(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	stray := filepath.Join(t.TempDir(), "stray")
	once := "if [ ! -e '" + stray + ".done' ]; then while [ ! -e '" + stray + "' ]; do sleep 0.01; done; : >'" + stray + ".done'; echo; fi; "
	p, _, c := connectFG(t, "{}", "--workers=1", strings.Replace(kids.sink(t), "exec:", "exec:"+once, 1))
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.waitStray(stray)
	c.send(data(1, "code=1"))
	if got := c.acks(1); got[1] != 1 {
		t.Errorf("acks %v, want code 1", got)
	}
	p.waitLog("exec child failed", "does it print text to its standard output?")
	p.stop(c)
	childrenGone(t, kids)
}

// TestAnswerOfThreeBytesIsACrash: the message is refused as if its child had died three times.
func TestAnswerOfThreeBytesIsACrash(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--workers=1", kids.sink(t))
	c.send(data(1, "one"))
	c.acked(1)
	c.send(data(2, "print= code=0"))
	if got := c.acks(1); got[2] != 1 {
		t.Errorf("acks %v, want code 1 for message 2", got)
	}
	c.send(data(3, "three"))
	c.acked(3)
	if n := kids.times(t, "print= code=0"); n != 3 {
		t.Errorf("delivered %d times, want 3", n)
	}
	p.stop(c)
	childrenGone(t, kids)
}

// waitStray waits until the child has written its stray byte. The gateway may detect it and end the child
// before the child creates its file.
func (p *process) waitStray(stray string) {
	p.t.Helper()
	eventually(p.t, "the stray byte", func() bool {
		return exists(stray+".done") || strings.Contains(p.stderr.String(), "exec child failed")
	})
}
