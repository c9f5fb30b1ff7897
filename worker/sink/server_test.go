package sink_test

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feedgate/gateway/tlstest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/testkit"
)

// opened is a sink that records its Config.
type opened struct {
	worker.AlwaysReady
	secure bool
	cfg    *sink.Config
}

func (opened) Open(worker.Completer) (worker.Handler, error) { return nil, errors.New("not used") }

// secret writes a file with a password.
func secret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCredentialsReachTheSink: the sink has the current credentials after each reload; an
// impossible password is not used.
func TestCredentialsReachTheSink(t *testing.T) {
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	path := secret(t, "first\r\n")
	credentials, err := sink.ServerFlags{User: "me", PasswordFile: path, CA: other.File, Cert: cert, Key: key}.Load()
	if err != nil {
		t.Fatal(err)
	}
	const url = "queue+tls://127.0.0.1:1"
	s, err := servers.Open(url, sink.Config{Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	got := s.Sink.(opened)
	if !got.secure || got.cfg.User != "me" || string(got.cfg.Password.Bytes()) != "first" {
		t.Errorf("secure %v, user %q, password %q", got.secure, got.cfg.User, got.cfg.Password.Bytes())
	}

	addr := accepting(t, &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(nil)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(),
	})
	if _, err := got.cfg.TLS.Dial(t.Context(), "tcp", addr); err == nil || !strings.Contains(err.Error(), "see --sink-ca") {
		t.Errorf("an unknown authority: %v", err)
	}
	right, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other.File, right, 0o600); err != nil {
		t.Fatal(err)
	}
	target, err := servers.Parse("--sink", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ password, fault, now string }{
		{"", "is empty", "first"}, {"a b", "must not contain a space", "first"}, {"second", "", "second"},
	} {
		if err := os.WriteFile(path, []byte(c.password), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, part := range credentials.Reloads(target) {
			err := part.Do()
			if part.Flags != "--sink-password-file" && (part.Flags != "--sink-ca, --sink-cert, --sink-key" || err != nil) {
				t.Errorf("%s: %v", part.Flags, err)
			}
			if part.Flags == "--sink-password-file" && (c.fault == "" && err != nil || c.fault != "" &&
				(err == nil || !strings.HasPrefix(err.Error(), "--sink-password-file: ") || !strings.Contains(err.Error(), c.fault))) {
				t.Errorf("%q: %v", c.password, err)
			}
		}
		if now := string(got.cfg.Password.Bytes()); now != c.now {
			t.Errorf("password %q, want %q", now, c.now)
		}
	}
	conn, err := got.cfg.TLS.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// accepting accepts connections with TLS until the test ends.
func accepting(t *testing.T, cfg *tls.Config) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = tls.Server(conn, cfg).Read(make([]byte, 1))
			}()
		}
	}()
	return ln.Addr().String()
}

// TestCredentialFaults: the error has all faults, each with its flag, and no secret.
func TestCredentialFaults(t *testing.T) {
	readable := secret(t, "s3cret")
	if err := os.Chmod(readable, 0o604); err != nil {
		t.Fatal(err)
	}
	_, err := sink.ServerFlags{PasswordFile: readable, CA: "missing", Cert: "missing"}.Load()
	for _, want := range []string{"--sink-password-file: others", "\n--sink-ca: ", "\n--sink-key: missing; --sink-cert needs it"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	target, err := servers.Parse("--sink", "queue://a:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := sink.ServerFlags{PasswordFile: secret(t, "a s3cret")}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(target, sink.Target{}); err == nil || err.Error() != "--sink-password-file: a password must not contain a space" {
		t.Errorf("%v", err)
	}
	if err := (sink.Credentials{}).Check(target); err != nil {
		t.Errorf("without a password: %v", err)
	}
}

// TestUnencryptedLogin: a password that leaves the machine unencrypted causes a warning.
func TestUnencryptedLogin(t *testing.T) {
	with, err := sink.ServerFlags{PasswordFile: secret(t, "s3cret")}.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		url         string
		credentials sink.Credentials
		want        int
	}{
		{"queue://10.0.0.1:1", with, 1},
		{"queue://127.0.0.1:1,queue.example:1", with, 1},
		{"plain://10.0.0.1:1", with, 1},
		{"queue+tls://10.0.0.1:1", with, 0},
		{"queue://127.0.0.1:1", with, 0},
		{"queue://10.0.0.1:1", sink.Credentials{}, 0},
	} {
		log := new(testkit.Log)
		if _, err := servers.Open(c.url, sink.Config{Log: log.Logger(), Credentials: c.credentials}); err != nil {
			t.Fatal(err)
		}
		if n := log.Count("the login is sent unencrypted to another machine"); n != c.want || log.Count("s3cret") != 0 {
			t.Errorf("%s: %d warnings, want %d, in %s", c.url, n, c.want, log)
		}
	}
}
