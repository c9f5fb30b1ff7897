package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"feedgate/worker/testkit"
)

func TestTopWithoutTerminal(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, "{}", "--workers=2", newChildren(t).sink(t))
	c.send(data(1, "code=0"), data(2, "code=1001"))
	c.acks(2)
	p.waitMetric(2, "feedgate_acks_total")
	p.awaitHeadline("Keeping up, waiting for the upstream")
	got := command(t, nil, "top", p.admin)
	for _, want := range []string{
		"READY  " + p.admin, "● Keeping up, waiting for the upstream", s.url(), "of 65,536", "rings of 8,192, in", "acks with code 1001 1", "exec:",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	if got.status != 0 || got.stderr != "" || strings.Contains(got.stdout, "\x1b") {
		t.Errorf("status %d, %q", got.status, got.stderr)
	}
	p.stop(c)

	got = command(t, nil, "top", p.admin)
	if got.status != 1 || got.stdout != "" || !strings.Contains(got.stderr, p.admin) || !strings.Contains(got.stderr, "--admin") {
		t.Errorf("without a gateway: status %d, %q, %q", got.status, got.stdout, got.stderr)
	}
	if got = command(t, nil, "top", "nowhere"); got.status != 2 || !strings.Contains(got.stderr, "ADDR") {
		t.Errorf("a wrong address: status %d, %q", got.status, got.stderr)
	}
}

// topIn starts top with a terminal of its own.
func topIn(t *testing.T, pty *testkit.PTY, admin string, env ...string) *process {
	t.Helper()
	return start(t, launch{args: []string{"top", admin}, env: append(env, "TERM=xterm"), prepare: pty.Control})
}

func TestTopInATerminal(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, "{}", newChildren(t).sink(t))
	p.waitMetric(1, "feedgate_connected")
	for name, end := range map[string]func(*process, *testkit.PTY){
		"q":      func(_ *process, pty *testkit.PTY) { pty.Press(t, "q") },
		"Ctrl-C": func(_ *process, pty *testkit.PTY) { pty.Press(t, "\x03") },
		"TERM":   func(top *process, _ *testkit.PTY) { top.signal(syscall.SIGTERM) },
		"HUP":    func(top *process, _ *testkit.PTY) { top.signal(syscall.SIGHUP) },
		"QUIT":   func(top *process, _ *testkit.PTY) { top.signal(syscall.SIGQUIT) },
	} {
		pty := testkit.NewPTY(t, 100, 30)
		before := pty.State(t)
		top := topIn(t, pty, p.admin)
		shows := func(text string) {
			eventually(t, name+": "+text, func() bool { return strings.Contains(pty.Screen(), text) })
		}
		shows(s.url())
		shows("READY")
		pty.Resize(t, 40, 10) // SIGWINCH
		eventually(t, "ten lines", func() bool { return strings.Count(pty.Screen(), "\r\n") == 9 })
		end(top, pty)
		top.exit(0)
		if pty.State(t) != before {
			t.Errorf("%s: the modes of the terminal are not restored", name)
		}
		eventually(t, name+": the cursor and the screen are back", func() bool { return strings.HasSuffix(pty.Text(), "\x1b[?7h\x1b[?25h\x1b[?1049l") })
	}
	p.stop(c)
}

// TestTopStops: at Ctrl-Z, top gives the terminal back, and takes it over again when it is continued. Here there
// is no shell that could continue it, so that the kernel does not stop it. After a stop by another process, it
// takes the terminal over again, too.
func TestTopStops(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, "{}")
	p.waitMetric(1, "feedgate_connected")
	for name, stop := range map[string]func(*process, *testkit.PTY){
		"Ctrl-Z": func(_ *process, pty *testkit.PTY) { pty.Press(t, "\x1a") },
		"CONT":   func(top *process, _ *testkit.PTY) { top.signal(syscall.SIGCONT) },
	} {
		pty := testkit.NewPTY(t, 100, 30)
		top := topIn(t, pty, p.admin)
		eventually(t, name+": READY", func() bool { return strings.Contains(pty.Screen(), "READY") })
		stop(top, pty)
		eventually(t, name+": the terminal is given back, and taken over again", func() bool {
			text := pty.Text()
			again := strings.LastIndex(text, "\x1b[?1049h")
			return again > 0 && strings.Contains(text[:again], "\x1b[?1049l") == (name == "Ctrl-Z") && strings.Contains(text[again:], "READY")
		})
		pty.Press(t, "q")
		top.exit(0)
	}
	p.stop(c)
}

func TestTopShowsThatTheGatewayIsGone(t *testing.T) {
	t.Parallel()
	p, _, _ := connectFG(t, "{}")
	p.waitMetric(1, "feedgate_connected")
	pty := testkit.NewPTY(t, 100, 30)
	top := topIn(t, pty, p.admin, "NO_COLOR=1")
	eventually(t, "READY", func() bool { return strings.Contains(pty.Screen(), "READY") })
	p.signal(os.Kill)
	<-p.exited
	eventually(t, "the alarm", func() bool {
		return strings.Contains(pty.Screen(), "NO ANSWER for ") && strings.Contains(pty.Screen(), "connection refused")
	})
	if strings.Contains(pty.Text(), "\x1b[3") {
		t.Error("a colour in spite of NO_COLOR")
	}
	pty.Press(t, "q")
	top.exit(0)
}
