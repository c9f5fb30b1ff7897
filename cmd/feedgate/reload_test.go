package main

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
	"feedgate/worker/sink"
	"feedgate/worker/testkit"
)

// awaitLog waits until the log contains a text.
func awaitLog(t *testing.T, log *testkit.Log, text string) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("%q in the log", text), func() bool { return log.Has(text) })
}

func hangup(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// TestHangup: SIGHUP reloads every part, even if another one fails or hangs.
func TestHangup(t *testing.T) {
	path := tlstest.NewAuthority(t).File
	ca, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flags := tlsFlags{CA: path}
	certificates, err := flags.load()
	if err != nil {
		t.Fatal(err)
	}
	var log testkit.Log
	r := newReloader(log.Logger(), catchSignals([]string{"run"}).hangups)
	defer r.stop()
	r.add("--tls-ca", certificates.Reload)
	var reopened atomic.Int32
	r.addReopen("--sink", &sink.Sink{Reopen: func() error {
		reopened.Add(1)
		return nil
	}})
	r.addReopen("--dead-letter", nil)
	hung := make(chan struct{})
	defer close(hung)
	r.add("--hangs", func() error { <-hung; return nil })
	r.start()
	for i, step := range []struct {
		contents []byte
		logged   string
	}{{[]byte("no certificate"), "no PEM certificate"}, {ca, "flag=--tls-ca"}} {
		if err := os.WriteFile(path, step.contents, 0o600); err != nil {
			t.Fatal(err)
		}
		hangup(t)
		awaitLog(t, &log, step.logged)
		testkit.Eventually(t, "reopening the sink", func() bool { return reopened.Load() == int32(i+1) })
	}
}

// TestHangupWithoutFiles: SIGHUP does not end a process that has nothing to reload.
func TestHangupWithoutFiles(t *testing.T) {
	var log testkit.Log
	r := newReloader(log.Logger(), catchSignals([]string{"run"}).hangups)
	r.start()
	defer r.stop()
	hangup(t)
	awaitLog(t, &log, "nothing to reload")
}

// TestTokenIsReloaded: if the new secret is invalid, the old one stays in use.
func TestTokenIsReloaded(t *testing.T) {
	path := file(t, "token", "first")
	c, _ := mustParseRun(t, "fg://a:1", "--sink=discard:", "--token-file="+path)
	s, _, err := c.check()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		contents string
		mode     os.FileMode
		fault    string
	}{{"", 0o600, "is empty"}, {"\xff", 0o600, "not UTF-8"}, {"second", 0o604, "others"}, {"second", 0o600, ""}} {
		if err := os.WriteFile(path, []byte(step.contents), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, step.mode); err != nil {
			t.Fatal(err)
		}
		err := c.reloadToken(s)
		if step.fault == "" && err != nil || step.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), "--token-file") || !strings.Contains(err.Error(), step.fault)) {
			t.Errorf("%q: error %v, want %q", step.contents, err, step.fault)
		}
	}
}

// TestHangupStorm: many SIGHUPs are logged in one line per second, with their number.
func TestHangupStorm(t *testing.T) {
	var log testkit.Log
	hangups := make(chan os.Signal)
	r := newReloader(log.Logger(), hangups)
	var reopened atomic.Int32
	r.addReopen("--sink", &sink.Sink{Reopen: func() error {
		reopened.Add(1)
		return nil
	}})
	r.start()
	began := time.Now()
	for range 300 {
		hangups <- syscall.SIGHUP
	}
	testkit.Eventually(t, "the last reload", func() bool { return len(r.parts[0].requested) == 0 && reopened.Load() > 0 })
	r.stop()
	if n, most := log.Count("reloaded"), 2+int(time.Since(began)/time.Second); n == 0 || n > most {
		t.Errorf("%d lines of %d reloads, at most %d may be: %s", n, reopened.Load(), most, &log)
	}
}
