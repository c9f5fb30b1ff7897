package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/gateway"
)

// hung is a gateway while something hangs.
type hung struct {
	p *process
	// left are texts that standard error must have at the end, not one that it must not have.
	left []string
	not  string
	// pids are processes that must end.
	pids []int
	// noStderr is set if nobody reads standard error.
	noStderr bool
}

// hangs makes each kind of thing hang while messages wait for it. drain is --drain-timeout.
var hangs = map[string]func(t *testing.T, drain string) hung{
	"the sink's disk": func(t *testing.T, drain string) hung {
		file := filepath.Join(t.TempDir(), "out")
		s := listenFG(t)
		p, d := runOnDisk(t, s.url(), "--drain-timeout="+drain, "--sink=file:"+file)
		s.sendHung(d, file)
		return hung{p: p, left: []string{"3 unfinished", " for file:" + file + " (deferred by worker 0)"}}
	},
	"the dead letters' disk": func(t *testing.T, drain string) hung {
		file := filepath.Join(t.TempDir(), "out")
		s := listenFG(t)
		p, d := runOnDisk(t, s.url(), "--drain-timeout="+drain, newChildren(t).sink(t), "--dead-letter=file:"+file)
		s.sendHung(d, file)
		return hung{p: p, left: []string{"3 unfinished", " for dead letters in file:" + file}}
	},
	"the state's disk": func(t *testing.T, drain string) hung {
		state := filepath.Join(t.TempDir(), "state")
		s := listenFG(t)
		p, d := runOnDisk(t, s.url(), "--drain-timeout="+drain, "--sink=discard:", "--state="+state)
		c := s.accept()
		d.hang(filepath.Dir(state))
		c.welcome(1, `{"session":"s"}`)
		d.waitHung(filepath.Dir(state))
		return hung{p: p, left: []string{"level=ERROR", "--state: " + state + " may be behind"}, not: gateway.ErrUnfinished.Error()}
	},
	"a child that is stopped": func(t *testing.T, drain string) hung {
		kids := newChildren(t)
		p, _, c := connectFG(t, "{}", "--drain-timeout="+drain, "--workers=1", kids.sink(t))
		c.send(data(1, "code=0"))
		c.acked(1)
		pid := kids.deliveries(t)[0].pid
		suspend(t, pid)
		c.sendN(2, 3, "code=0")
		c.fence(1)
		return hung{p: p, left: []string{"3 unfinished"}, pids: []int{pid}}
	},
	"a child that ignores TERM": func(t *testing.T, drain string) hung {
		dir := t.TempDir()
		p, _, c := connectFG(t, "{}", "--drain-timeout="+drain, "--workers=1",
			"--sink=exec:"+stubborn(dir, "while :; do sleep 1; done"))
		pids := []int{readPID(t, dir+"/pid"), readPID(t, dir+"/pid2")}
		c.sendN(1, 3, "m")
		c.fence(1)
		return hung{p: p, left: []string{"3 unfinished"}, pids: pids}
	},
	"standard output": func(t *testing.T, drain string) hung {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		s := listenFG(t)
		p := runWith(t, launch{args: []string{s.url(), "--drain-timeout=" + drain, "--sink=stdout:"}, stdout: w})
		w.Close()
		c := s.accept()
		c.welcome(1, "{}")
		c.sendN(1, 3, strings.Repeat("x", 100_000))
		c.fence(1)
		return hung{p: p, left: []string{"unfinished"}}
	},
	"the log's reader, and the disk": func(t *testing.T, drain string) hung {
		file := filepath.Join(t.TempDir(), "out")
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		fillPipe(t, w)
		s := listenFG(t)
		p, d := runOnDiskWith(t, launch{args: []string{s.url(), "--drain-timeout=" + drain, "--sink=file:" + file}, stderr: w})
		w.Close()
		s.sendHung(d, file)
		return hung{p: p, noStderr: true}
	},
}

// sendHung accepts a gateway, makes the disk hang and sends 3 messages.
func (s *fgServer) sendHung(d *hungDisk, file string) {
	s.t.Helper()
	c := s.accept()
	c.welcome(1, "{}")
	d.hang(file)
	c.sendN(1, 3, "code=1")
	c.fence(1)
	d.waitHung(file)
}

// fillPipe fills a pipe to the last byte.
func fillPipe(t *testing.T, w *os.File) {
	t.Helper()
	fd := int(w.Fd()) // blocking from now on
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{4096, 1} {
		for err := error(nil); err == nil; {
			_, err = syscall.Write(fd, make([]byte, n))
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// notInTime is in the error if a gateway has not ended in time. On a busy machine that may be reported
// instead of the unfinished messages.
const notInTime = "did not return in time"

// soon bounds, on a busy machine, a wait that should take a second at most.
const soon = 10 * time.Second

// TestStopWhileSomethingHangs: whatever hangs, the process ends within a second of the second
// signal or of the end of --drain-timeout, and reports what is unfinished.
func TestStopWhileSomethingHangs(t *testing.T) {
	t.Parallel()
	for what, start := range hangs {
		t.Run(what+", two signals", func(t *testing.T) {
			t.Parallel()
			h := start(t, "1h")
			h.p.signal(syscall.SIGINT)
			if !h.noStderr {
				h.p.waitLog("stopping; a second")
			}
			h.p.signal(syscall.SIGTERM) // two pending SIGINTs would be one
			h.ends(t)
		})
		t.Run(what+", the end of the drain", func(t *testing.T) {
			t.Parallel()
			h := start(t, "500ms")
			h.p.signal(syscall.SIGTERM)
			h.ends(t)
		})
	}
}

func (h *hung) ends(t *testing.T) {
	t.Helper()
	if status := h.p.status(soon); status != 1 {
		t.Errorf("status %d, not 1", status)
	}
	for _, pid := range h.pids {
		dead(t, pid)
	}
	log := h.p.stderr.String()
	if strings.Contains(log, notInTime) {
		t.Log("the machine is too busy for the gateway to report what is unfinished")
		return
	}
	for _, want := range h.left {
		if !strings.Contains(log, want) {
			t.Errorf("standard error does not report %q", want)
		}
	}
	if h.not != "" && strings.Contains(log, h.not) {
		t.Errorf("standard error reports %q", h.not)
	}
}

// TestStopWhileAnAdminClientHangs: an unfinished request does not delay a drain.
func TestStopWhileAnAdminClientHangs(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, "{}", "--drain-timeout=1h")
	client, err := net.Dial("tcp", p.admin)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("GET /ready HTTP/1.1\r\nHost: x\r\n")); err != nil {
		t.Fatal(err)
	}
	c.fence(1)
	p.stop(c)
}
