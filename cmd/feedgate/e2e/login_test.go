package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHelloHasClientSessionAndToken(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	p := run(t, s.url(), "--client-name=reader-7", "--token-file="+tokenFile(t, "s3cret\n", 0o600))
	c := s.accept()
	seq, h := c.hello()
	if seq != 0 || h.Client != "reader-7" || *h.Session != "" || h.Token != "s3cret" {
		t.Fatalf("HELLO seq %d, %+v (session %q)", seq, h, *h.Session)
	}
	c.send(frame{op: opWelcome, seq: 1, payload: []byte("{}")})
	p.stop(c)
}

func TestDefaultClientNameIsTheHostName(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	s := listenFG(t)
	p := run(t, s.url())
	c := s.accept()
	if _, h := c.welcome(1, "{}"); h.Client != host || h.Token != "" {
		t.Fatalf("HELLO %+v, want client %q and no token", h, host)
	}
	p.stop(c)
}

// tokenFile writes a secret to a file with the mode, regardless of the umask.
func tokenFile(t *testing.T, secret string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOneNewlineOfTheTokenFileIsDropped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, token string }{
		"none": {"abc", "abc"}, "one": {"abc\n", "abc"}, "two": {"abc\n\n", "abc\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenFG(t)
			// Group-readable is allowed; only mode & 0o007 is checked.
			p := run(t, s.url(), "--token-file="+tokenFile(t, c.text, 0o640))
			conn := s.accept()
			if _, h := conn.welcome(1, "{}"); h.Token != c.token {
				t.Fatalf("token %q, want %q", h.Token, c.token)
			}
			p.stop(conn)
		})
	}
}

func TestBadTokenFileIsRefused(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"readable by others":   tokenFile(t, "s3cret", 0o644),
		"writable by others":   tokenFile(t, "s3cret", 0o602),
		"executable by others": tokenFile(t, "s3cret", 0o601),
		"missing":              filepath.Join(t.TempDir(), "none"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := command(t, nil, "run", "fg://127.0.0.1:1", "--sink=discard:", "--admin=", "--token-file="+path)
			if got.status != 1 && got.status != 2 {
				t.Errorf("exit status %d, want 1 or 2", got.status)
			}
			if !strings.Contains(got.stderr, "token-file") || strings.Contains(got.stderr, "s3cret") {
				t.Errorf("standard error %q must name token-file and not the secret", got.stderr)
			}
		})
	}
}

func TestRefusedTokenEndsTheGateway(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	p := run(t, s.url(), "--log-level=debug", "--token-file="+tokenFile(t, "s3cret", 0o600))
	c := s.accept()
	c.hello()
	c.send(bye(4))
	c.leave()
	p.exit(1)
	if strings.Contains(p.stderr.String(), "s3cret") {
		t.Fatal("the log has the secret")
	}
}

// TestTokenRefusedLaterIsRetried: after a successful login, BYE 4 is a temporary fault of the server.
func TestTokenRefusedLaterIsRetried(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, `{"session":"a"}`)
	c.send(data(1, "one"))
	c.acked(1)
	c.close()
	c = s.accept()
	c.hello()
	c.send(bye(4))
	c.leave()
	c = s.accept()
	c.welcome(2, `{"session":"a"}`)
	p.stop(c)
}

func TestWelcomeNeedsNoFields(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, `{}`, "--exit-on-close")
	c.send(data(1, "one"), data(2, "two"))
	c.acked(1, 2)
	c.finish(0, 0)
	p.exit(0)
}

func TestWelcomeSeqNeedNotBeOne(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	p := run(t, s.url(), "--exit-on-close")
	c := s.accept()
	c.welcome(1<<40, `{"session":"late"}`)
	c.send(data(1<<40, "one"), data(1<<40+1, "two"))
	c.acked(1<<40, 1<<40+1)
	c.finish(0, 0)
	p.exit(0)
	if n := strings.Count(p.stderr.String(), "gap"); n > 0 {
		t.Error("WELCOME's number is logged as a gap")
	}
}

func TestLoginFaultsAreCountedAndRetried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  frame
		reasons []string
	}{
		"data first": {data(1, "x"), []string{"unexpected_op", "login"}},
		"bad json":   {frame{op: opWelcome, seq: 1, payload: []byte(`{"session":`)}, []string{"bad_json", "login"}},
		"unknown op": {frame{op: 9}, []string{"unknown_op", "login"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenFG(t)
			p := run(t, s.url())
			conn := s.accept()
			conn.hello()
			conn.send(c.answer)
			if _, last := conn.untilBye(); last.code == 0 {
				t.Errorf("%v after a fault in the login", last)
			}
			conn.close()
			conn = s.accept()
			conn.welcome(1, "{}")
			eventually(t, "a protocol error of the login is counted", func() bool {
				counted := 0.0
				for _, reason := range c.reasons {
					counted += p.metric("feedgate_protocol_errors_total", "reason", reason)
				}
				return counted == 1
			})
			p.stop(conn)
		})
	}
}
