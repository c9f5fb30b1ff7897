package e2e

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// refusesToStart checks that run exits with status 1 before it connects to an upstream, and logs why.
func refusesToStart(t *testing.T, sink string, want ...string) {
	t.Helper()
	a, b := listen(t, 0), listen(t, 0)
	got := command(t, nil, "run", "fg://"+a.Addr().String(), "fg://"+b.Addr().String(), "--admin=", "--workers=2", "--sink=exec:"+sink)
	if got.status != 1 {
		t.Errorf("status %d, want 1", got.status)
	}
	for _, word := range append(want, "--sink") {
		if !strings.Contains(got.stderr, word) {
			t.Errorf("standard error does not have %q:\n%s", word, got.stderr)
		}
	}
	for _, ln := range []*net.TCPListener{a, b} {
		if connected(t, ln) {
			t.Error("the gateway has connected")
		}
	}
}

// connected reports whether a process that has ended had connected to ln: the connection is in its backlog.
func connected(t *testing.T, ln *net.TCPListener) bool {
	t.Helper()
	if err := ln.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err == nil {
		conn.Close()
	} else if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return err == nil
}

func TestBrokenExecCommandEndsTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ command, want string }{
		"not found":      {"./typo", "status 127"},
		"not executable": {"/dev/null", "status 126"},
		"fails":          {"exit 3", "status 3"},
		"ends":           {"true", "status 0"},
		"prints":         {"echo ready; exec sleep 60", "standard output"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refusesToStart(t, c.command, c.want)
		})
	}
}

// TestBrokenExecCommandPreventsDiscovery: nsqlookupd gets no request.
func TestBrokenExecCommandPreventsDiscovery(t *testing.T) {
	t.Parallel()
	lookupd := listen(t, 0)
	got := command(t, nil, "run", "nsq:///orders/archive", "--nsqlookupd="+lookupd.Addr().String(), "--admin=", "--sink=exec:exit 3")
	if got.status != 1 || !strings.Contains(got.stderr, "--sink") || connected(t, lookupd) {
		t.Errorf("status %d, want 1 and no connection; standard error:\n%s", got.status, got.stderr)
	}
}

// TestOneBrokenChildEndsTheStart: one of the four children of two upstreams with two workers ends, and
// none is left.
func TestOneBrokenChildEndsTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Each child takes a free number. The fourth finds none and ends.
	refusesToStart(t, `for i in 1 2 3; do mkdir `+dir+`/$i 2>/dev/null && { echo $$ >`+dir+`/pid$i; exec sleep 60; }; done; exit 9`, "status 9")
	pids, err := filepath.Glob(dir + "/pid*")
	// Others may be killed before they have written their process ID.
	if err != nil || len(pids) == 0 {
		t.Fatalf("%q, %v; want children that ran", pids, err)
	}
	for _, file := range pids {
		dead(t, readPID(t, file))
	}
}

// TestCheckedChildrenGetTheMessages: the children that are started and checked before the first
// connection are not replaced.
func TestCheckedChildrenGetTheMessages(t *testing.T) {
	t.Parallel()
	starts := filepath.Join(t.TempDir(), "starts")
	kids := newChildren(t)
	sink := strings.Replace(kids.sink(t), "exec:", "exec:echo started >>"+starts+"; ", 1)
	p, _, c := connectFG(t, "{}", "--workers=3", sink)
	for seq := uint64(1); seq <= 30; seq++ {
		c.send(data(seq, "m"))
	}
	c.acks(30)
	p.stop(c)
	text, err := os.ReadFile(starts)
	if n := strings.Count(string(text), "started\n"); err != nil || n != 3 {
		t.Errorf("%d children were started for 3 workers; %v", n, err)
	}
}

// TestChildrenThatNeverAnsweredRefuseNothing: their children pass the check at the start and end later,
// without a single answer. The fault is the command's, not a message's.
func TestChildrenThatNeverAnsweredRefuseNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	starts := filepath.Join(dir, "starts")
	p, _, c := connectFG(t, "{}", "--workers=1", `--sink=exec:echo start >>`+starts+`; head -c 5 >/dev/null; exit 3`)
	c.send(data(1, "one"))
	eventually(t, "six children", func() bool {
		text, _ := os.ReadFile(starts)
		return strings.Count(string(text), "start\n") >= 6
	})
	if before := c.fence(1); len(before) > 0 {
		t.Errorf("got %v, want no ack", before)
	}
	p.waitLog("exit status 3")
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGINT) // another signal: two pending SIGTERMs would be one
	c.leave()
	p.exit(1)
}

// TestPrintedTextIsNoAnswer: text that a child prints before its answer is not taken for a code. The log
// has it as a number, not as text.
func TestPrintedTextIsNoAnswer(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", kids.sink(t))
	c.send(data(1, "one"))
	c.acked(1)
	c.send(data(2, "print=got"), data(3, "three"))
	if codes := c.acks(2); codes[2] != 1 || codes[3] != 0 {
		t.Errorf("codes %v, want 1 and 0", codes)
	}
	c.finish(0, 0)
	p.exit(0)
	p.waitLog("26479")
	if strings.Contains(p.stderr.String(), "got") {
		t.Error("the log has what the child printed")
	}
}

// TestEchoIsNoAnswer: a child that only echoes its input acks nothing.
func TestEchoIsNoAnswer(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, "{}", "--workers=1", "--sink=exec:cat")
	c.send(data(1, "one"), data(2, "two"))
	p.waitLog("answered ")
	if before := c.fence(1); len(before) > 0 {
		t.Errorf("got %v, want no ack", before)
	}
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGINT) // another signal: two pending SIGTERMs would be one
	c.leave()
	p.exit(1)
}

// TestReservedCodesAreFaultsOfTheChild: such an answer acks nothing.
func TestReservedCodesAreFaultsOfTheChild(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"3", "7", "77", "999", "8192", "65535"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			kids := newChildren(t)
			p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", kids.sink(t))
			c.send(data(1, "one"))
			c.acked(1)
			c.send(data(2, "code="+code), data(3, "three"))
			if codes := c.acks(2); codes[2] != 1 || codes[3] != 0 {
				t.Errorf("codes %v, want 1 and 0", codes)
			}
			c.finish(0, 0)
			p.exit(0)
			if n := kids.times(t, "code="+code); n != 3 {
				t.Errorf("delivered %d times, want 3", n)
			}
			p.waitLog("it answered " + code + ",")
		})
	}
}

// TestChildrenSeeNoSettings: some settings are secret.
func TestChildrenSeeNoSettings(t *testing.T) {
	t.Parallel()
	got := filepath.Join(t.TempDir(), "env")
	s := listenFG(t)
	p := runWith(t, launch{
		args: []string{s.url(), "--workers=1", "--sink=exec:env >" + got + "; exec cat >/dev/null"},
		env:  []string{"FEEDGATE_CLIENT_NAME=secret", "FEEDGATE_LOG_LEVEL=debug", "OTHER=kept"},
	})
	c := s.accept()
	c.welcome(1, "{}")
	var env []byte
	eventually(t, "the child's environment", func() bool {
		env, _ = os.ReadFile(got)
		return strings.Contains(string(env), "OTHER=kept\n")
	})
	if strings.Contains(string(env), "FEEDGATE_") {
		t.Errorf("a child has settings of feedgate:\n%s", env)
	}
	p.stop(c)
}
