package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSecretIsNotLogged: even if the server's session name contains the token, neither the log nor
// the state file has it.
func TestSecretIsNotLogged(t *testing.T) {
	t.Parallel()
	const secret = "t0p-s3cret"
	dir := t.TempDir()
	token, state := filepath.Join(dir, "token"), filepath.Join(dir, "state")
	if err := os.WriteFile(token, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "json"} {
		s := listenFG(t)
		p := run(t, s.url(), "--sink=discard:", "--token-file="+token, "--state="+state, "--log-format="+format)
		for i := range 2 {
			c := s.accept()
			if _, h := c.welcome(1, fmt.Sprintf(`{"session":"%s-%d"}`, secret, i)); h.Token != secret {
				t.Errorf("the login has the token %q", h.Token)
			}
			c.send(data(1, "a"))
			c.acked(1)
			c.reset()
		}
		c := s.accept()
		c.hello()
		p.signal(syscall.SIGTERM)
		c.leave()
		p.exit(0)
		if text := p.stderr.String(); strings.Contains(text, secret) || !strings.Contains(text, "***") {
			t.Errorf("%s: the log is\n%s", format, text)
		}
		if kept, err := os.ReadFile(state); err == nil && strings.Contains(string(kept), secret) {
			t.Errorf("%s: the state file has %q", format, kept)
		}
	}
}

// TestGapsAreSummedUp: a server that skips every second number causes few log lines, which have the
// range of missing numbers.
func TestGapsAreSummedUp(t *testing.T) {
	t.Parallel()
	const messages = 20_000
	p, _, c := connectFG(t, `{"session":"s"}`, "--sink=discard:", "--exit-on-close", "--ack=none")
	for seq := uint64(1); seq <= messages; seq += 1000 {
		var frames []frame
		for n := range uint64(1000) {
			frames = append(frames, data(2*(seq+n), "m"))
		}
		c.send(frames...)
	}
	c.send(bye(0))
	c.leave()
	p.exit(0)
	text := p.stderr.String()
	if n := strings.Count(text, "gap in the sequence numbers"); n == 0 || n > 20 {
		t.Errorf("%d lines about gaps", n)
	}
	if !strings.Contains(text, fmt.Sprintf("last=%d", 2*messages-1)) {
		t.Errorf("no line has the last gap:\n%s", text)
	}
}

// TestFailedUpstreamDrainsTheOthers: otherwise a supervisor would not notice that an upstream is gone.
func TestFailedUpstreamDrainsTheOthers(t *testing.T) {
	t.Parallel()
	good, bad := listenFG(t), listenFG(t)
	p := run(t, good.url(), bad.url(), "--sink=discard:")
	c := good.accept()
	c.welcome(1, `{"session":"s"}`)
	c.send(data(1, "a"))
	c.acked(1)
	refused := bad.accept()
	refused.hello()
	refused.send(bye(4))
	if _, last := c.untilBye(); last.code != 6 {
		t.Errorf("the other upstream gets BYE with code %d", last.code)
	}
	refused.leave()
	c.leave()
	p.exit(1)
	if text := p.stderr.String(); !strings.Contains(text, "an upstream failed") {
		t.Errorf("the log is\n%s", text)
	}
}
