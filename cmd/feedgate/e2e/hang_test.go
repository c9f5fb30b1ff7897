package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fifo creates a FIFO, which blocks readers until somebody writes to it.
func fifo(t *testing.T, path string) {
	t.Helper()
	_ = os.Remove(path)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

// writer waits until the FIFO has a reader, and returns its write end.
func writer(t *testing.T, path string) *os.File {
	t.Helper()
	var end *os.File
	eventually(t, "a reader of "+path, func() bool {
		fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		if err != nil && !errors.Is(err, syscall.ENXIO) {
			t.Fatal(err)
		}
		if err == nil {
			end = os.NewFile(uintptr(fd), path)
		}
		return err == nil
	})
	t.Cleanup(func() { end.Close() })
	return end
}

// TestStopWhileAReloadHangs: a blocking file is logged, and delays neither other files nor the end of the
// process.
func TestStopWhileAReloadHangs(t *testing.T) {
	t.Parallel()
	for status, name := range []string{"drain", "at once"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			token := filepath.Join(dir, "token")
			if err := os.WriteFile(token, []byte("s3cret"), 0o600); err != nil {
				t.Fatal(err)
			}
			p, _, c := connectFG(t, "{}", "--sink=file:"+filepath.Join(dir, "in"), "--token-file="+token)
			p.waitLog("logged in")
			fifo(t, token)
			p.signal(syscall.SIGHUP)
			writer(t, token) // never written to, so the reload hangs
			p.waitLog("flag=--sink", "reload is slow", "flag=--token-file")
			if status == 0 {
				p.stop(c)
				return
			}
			c.send(frame{op: opData, seq: 1, payload: []byte("one")})
			c.acked(1)
			p.signal(syscall.SIGTERM) // the drain waits for the server to close
			p.waitLog("stopping; a second")
			p.signal(syscall.SIGINT)
			p.status(patience)
		})
	}
}

// TestSignalsWhileTheStartHangs: one signal ends the start with status 0, because nothing has been
// received; two signals end it with status 1.
func TestSignalsWhileTheStartHangs(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"config", "token-file", "tls-ca"} {
		for status, signals := range [][]syscall.Signal{{syscall.SIGTERM}, {syscall.SIGTERM, syscall.SIGINT}} {
			t.Run(fmt.Sprint(flag, ", ", len(signals)), func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "file")
				fifo(t, path)
				p := run(t, "fg+tls://127.0.0.1:1", "--sink=discard:", "--"+flag+"="+path)
				writer(t, path)
				suspend(t, p.cmd.Process.Pid) // so that it gets both signals at once
				for _, s := range signals {
					p.signal(s)
				}
				p.signal(syscall.SIGCONT)
				p.exit(status)
				if !strings.Contains(lastLine(p.stderr.String()), "during the start") {
					t.Error("the last line does not name the start")
				}
			})
		}
	}
}

// TestHangupDuringTheStartIsHarmless: before the configuration is read.
func TestHangupDuringTheStartIsHarmless(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	path := filepath.Join(t.TempDir(), "c.yaml")
	fifo(t, path)
	p := run(t, "--config="+path, "--sink=discard:")
	w := writer(t, path)
	p.signal(syscall.SIGHUP)
	if _, err := fmt.Fprintf(w, "url: %s\n", s.url()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	c := s.accept()
	c.welcome(1, "{}")
	p.waitLog("logged in", "SIGHUP: nothing to reload")
	p.stop(c)
}

// TestTokenFileMayBeAPipe: as in --token-file <(pass show feed).
func TestTokenFileMayBeAPipe(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("s3cret\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	s := listenFG(t)
	p := runWith(t, launch{args: []string{s.url(), "--sink=discard:", "--token-file=/dev/fd/3"},
		prepare: func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{r} }})
	r.Close()
	c := s.accept()
	if _, h := c.welcome(1, "{}"); h.Token != "s3cret" {
		t.Errorf("token %q", h.Token)
	}
	p.signal(syscall.SIGHUP)
	p.waitLog("cannot reload; the previous contents stay in use")
	p.stop(c)
}

// TestFailedStartLogsTheLastLine: like every run whose log has begun.
func TestFailedStartLogsTheLastLine(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"text": "level=INFO msg=stopped messages=0 acked=0 refused=0 dead_lettered=0 duplicates=0 dropped=0",
		"json": `"level":"INFO","msg":"stopped","messages":0,"acked":0,"refused":0,"dead_lettered":0,"duplicates":0,"dropped":0}`,
	} {
		for _, args := range [][]string{{"--state=/proc/none/state"}, {"--sink=exec:exit 3"}, {"--sink=file:/proc/none/in"}} {
			got := command(t, nil, append([]string{"run", "fg://127.0.0.1:1", "--sink=discard:", "--admin=", "--log-format=" + format}, args...)...)
			flag, _, _ := strings.Cut(args[0], "=")
			if got.status != 1 || !strings.HasSuffix(lastLine(got.stderr), want) || strings.Count(got.stderr, flag) != 1 {
				t.Errorf("%s: status %d\n%s", args, got.status, got.stderr)
			}
		}
	}
}
