package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReadFile: within its limits; what the file is decides the caller.
func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("four"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFile(path, 4, nil); string(got) != "four" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, path := range []string{path, "/dev/zero"} {
		if got, err := ReadFile(path, 3, nil); got != nil || err == nil || !strings.Contains(err.Error(), path+" is longer than 3 bytes") {
			t.Errorf("%q, %v", got, err)
		}
	}
	fault := errors.New("fault")
	if got, err := ReadFile(path, 4, func(info fs.FileInfo) error {
		if info.Mode().Perm() == 0o640 {
			return fault
		}
		return nil
	}); got != nil || err != fault {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := ReadFile(path+"none", 4, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestReadPipe: a pipe without a writer is not waited for without end.
func TestReadPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	defer func(limit time.Duration) { readLimit = limit }(readLimit)
	readLimit = 20 * time.Millisecond
	if _, err := ReadFile(path, 4, nil); err == nil || !strings.Contains(err.Error(), "if it is a pipe, its writer") {
		t.Error(err)
	}
	writer, err := os.OpenFile(path, os.O_RDWR, 0) // ends the reader that waits
	if err != nil {
		t.Fatal(err)
	}
	writer.Close()
}
