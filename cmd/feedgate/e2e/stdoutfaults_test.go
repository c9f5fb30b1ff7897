package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// stdoutFault runs a gateway whose standard output fails, sends a message, and checks that the
// gateway exits with status 1, logs the reason, and does not ack the message with code 0. welcomed
// is called between the login and the message.
func stdoutFault(t *testing.T, stdout *os.File, want string, welcomed func()) {
	t.Helper()
	s := listenFG(t)
	p := runWith(t, launch{args: []string{s.url(), "--workers=1", "--sink=stdout:"}, stdout: stdout})
	c := s.accept()
	c.welcome(1, "{}")
	welcomed()
	c.send(data(1, "nobody gets this"))
	for {
		f, err := c.read()
		if err != nil {
			break
		}
		if f.op == opAck && f.code == 0 {
			t.Errorf("%v of a message that was not written", f)
		}
	}
	c.close()
	p.exit(1)
	log := p.stderr.String()
	if !strings.Contains(log, "--sink") || !strings.Contains(log, "standard output") || !strings.Contains(log, want) {
		t.Errorf("standard error does not name the flag, standard output and %q", want)
	}
}

func TestFullStdoutEndsTheGateway(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	stdoutFault(t, full, "no space left on device", func() {})
}

func TestStdoutWithoutReaderEndsTheGateway(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	stdoutFault(t, w, "its reader is gone", func() {})
}

// TestStdoutReaderThatClosesEndsTheGateway: after the login.
func TestStdoutReaderThatClosesEndsTheGateway(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	stdoutFault(t, w, "its reader is gone", func() { r.Close() })
}

// TestClosedStdoutIsAnError: messages would be acked and lost, so the gateway does not even
// connect. /dev/null, opened by the user, is allowed.
func TestClosedStdoutIsAnError(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	path := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for redirection, want := range map[string]string{">&-": "is closed", "<>/dev/null >&0": "is closed", "1<" + path: "for reading only"} {
		command := underTest(t) + " run " + s.url() + " --admin= --exit-on-close --sink=stdout: " + redirection
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "exec "+command)
		cmd.Env = testkit.Environ()
		var stderr output
		cmd.Stderr = &stderr
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Run() // the status is read from ProcessState
		}()
		connected := make(chan struct{})
		go func() {
			defer close(connected)
			conn, err := s.ln.AcceptTCP()
			if err == nil {
				conn.Close()
			}
		}()
		select {
		case <-ended:
		case <-connected:
			t.Fatalf("%s: the gateway has connected", redirection)
		}
		if got := cmd.ProcessState.ExitCode(); got != 1 || !strings.Contains(stderr.String(), "--sink") || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: status %d, %q; want 1 and %q", redirection, got, stderr.String(), want)
		}
	}
	p := runWith(t, launch{args: []string{s.url(), "--workers=1", "--sink=stdout:"}, stdout: mustOpen(t, os.DevNull)})
	c := s.accept()
	c.welcome(1, "{}")
	c.send(data(1, "discarded on purpose"))
	c.acked(1)
	p.stop(c)
}

func mustOpen(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
