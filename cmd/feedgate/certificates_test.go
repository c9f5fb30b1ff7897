package main

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
)

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		b.mu.Lock()
		found := strings.Contains(b.buf.String(), text)
		b.mu.Unlock()
		if found {
			return
		}
	}
	t.Fatalf("the log does not say %q", text)
}

// TestHangup: SIGHUP reads the files again, and says so when they cannot be used.
func TestHangup(t *testing.T) {
	file := tlstest.NewAuthority(t).File
	ca, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flags := tlsFlags{CA: file}
	certificates, err := flags.load()
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	defer flags.reloadOnHangup(certificates, slog.New(slog.NewTextHandler(&log, nil)))()
	for _, step := range []struct {
		contents []byte
		said     string
	}{{[]byte("no certificate"), "no PEM certificate"}, {ca, "read again"}} {
		if err := os.WriteFile(file, step.contents, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		log.await(t, step.said)
	}
}

// TestHangupWithoutFiles: SIGHUP does not end a process that has nothing to read again.
func TestHangupWithoutFiles(t *testing.T) {
	var log lockedBuffer
	defer new(tlsFlags).reloadOnHangup(nil, slog.New(slog.NewTextHandler(&log, nil)))()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	log.await(t, "no TLS files to read again")
}
