package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDrainFinishesMessagesInFlight(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]os.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kids, door := newChildren(t), newGate(t)
			p, _, c := connectFG(t, "{}", "--workers=1", "--drain-timeout=1m", kids.sink(t))
			c.send(data(1, door.wait()), data(2, "two"), data(3, "code=1500"))
			eventually(t, "the child waits", func() bool { return len(kids.deliveries(t)) == 1 })
			c.fence(1)
			p.signal(signal)
			// Usually long enough for the drain to begin. The test passes either way.
			time.Sleep(100 * time.Millisecond)
			door.open(t)
			if codes := c.acks(3); codes[1] != 0 || codes[2] != 0 || codes[3] != 1500 {
				t.Errorf("codes %v", codes)
			}
			before, last := c.untilBye()
			if len(before) > 0 || (last.code != 6 && last.code != 0) {
				t.Errorf("%v, then %v; want BYE 6 or 0", before, last)
			}
			c.close()
			p.exit(0)
		})
	}
}

// left matches how the gateway may report unfinished messages.
var left = regexp.MustCompile(`(?i)left|unfinished|unacknowledged|not acknowledged|in.flight|pending`)

func TestDrainTimeoutEndsTheDrain(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--workers=1", "--drain-timeout=100ms", kids.sink(t))
	c.send(data(1, newGate(t).wait()), data(2, "two"))
	eventually(t, "the child waits", func() bool { return len(kids.deliveries(t)) == 1 })
	c.fence(1)
	p.signal(syscall.SIGTERM)
	c.leave()
	p.exit(1)
	if log := p.stderr.String(); !left.MatchString(log) || !strings.Contains(log, "2") {
		t.Error("standard error does not report unfinished messages")
	}
	childrenGone(t, kids)
}

func TestSecondSignalEndsTheDrain(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--workers=1", "--drain-timeout=1h", kids.sink(t))
	c.send(data(1, newGate(t).wait()))
	eventually(t, "the child waits", func() bool { return len(kids.deliveries(t)) == 1 })
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGINT)
	c.leave()
	p.exit(1)
	if !left.MatchString(p.stderr.String()) {
		t.Error("standard error does not report unfinished messages")
	}
	childrenGone(t, kids)
}

// childrenGone checks that no child of an exec sink is left.
func childrenGone(t *testing.T, kids children) {
	t.Helper()
	for _, d := range kids.deliveries(t) {
		gone(t, d.pid)
	}
}

func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "child "+strconv.Itoa(pid)+" has ended", func() bool {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	})
}

// TestDrainKillsAStubbornChild: it ignores the end of its input and TERM, and so gets KILL.
func TestDrainKillsAStubbornChild(t *testing.T) {
	t.Parallel()
	number := filepath.Join(t.TempDir(), "pid")
	script := `trap "" TERM; echo $$ > ` + number + `; for i in 1 2 3 4 5 6; do sleep 10; done`
	p, _, c := connectFG(t, "{}", "--workers=1", "--drain-timeout=300ms", "--sink=exec:"+script)
	eventually(t, "the child runs", func() bool {
		text, err := os.ReadFile(number)
		return err == nil && strings.HasSuffix(string(text), "\n")
	})
	text, err := os.ReadFile(number)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	// If it has its own process group, process.discard does not kill it.
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	p.signal(syscall.SIGTERM)
	c.leave()
	// The contract does not define the exit status if a child had to be killed with nothing in
	// flight.
	p.status(patience)
	gone(t, pid)
}

// TestSignalDuringLogin: nothing is in flight, so the gateway ends at once.
func TestSignalDuringLogin(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	p := run(t, s.url(), "--connect-timeout=1h")
	c := s.accept()
	c.hello()
	p.signal(syscall.SIGTERM)
	c.leave()
	p.exit(0)
}
