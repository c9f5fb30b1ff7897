package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// only sees that a directory holds these names and no temporary file.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(names) {
		t.Errorf("%s holds %v, %v; want %q", dir, entries, err, names)
	}
	for i := range entries {
		if i < len(names) && entries[i].Name() != names[i] {
			t.Errorf("%s holds %v, want %q", dir, entries, names)
		}
	}
}

func TestReplaceKeepsMode(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, c := range []struct {
		contents string
		chmod    fs.FileMode // before; 0: none
		want     fs.FileMode
	}{{"new", 0, 0o640}, {"again", 0o604, 0o604}, {"", 0o400, 0o400}} {
		if c.chmod != 0 {
			if err := os.Chmod(path, c.chmod); err != nil {
				t.Fatal(err)
			}
		}
		if err := Replace(path, []byte(c.contents), 0o666); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != c.want || read(t, path) != c.contents {
			t.Errorf("%q: mode %v, %v, want %v; contents %q", c.contents, info.Mode(), err, c.want, read(t, path))
		}
	}
	only(t, dir, "f")
}

// TestReplaceFollowsLinks: to other links, relative ones, and to files that do not exist yet.
func TestReplaceFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"real", "links"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("../real/f", "links/relative")
	link(filepath.Join(dir, "links", "relative"), "links/second")
	link("links", "aliased")
	for _, contents := range []string{"first", "second"} {
		if err := Replace(filepath.Join(dir, "aliased", "second"), []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(t, filepath.Join(dir, "real", "f")); got != contents {
			t.Errorf("%q, want %q", got, contents)
		}
	}
	f, err := os.Open(filepath.Join(dir, "aliased", "second"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(SyncName(filepath.Join(dir, "aliased", "second"), f), f.Close()); err != nil {
		t.Error(err)
	}
	only(t, filepath.Join(dir, "real"), "f")
	only(t, filepath.Join(dir, "links"), "relative", "second")
	// The .. after a link is the parent of the directory to which the link leads.
	if err := os.Mkdir(filepath.Join(dir, "real", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	link("real/deep", "down")
	link("down/../g", "up")
	if err := Replace(filepath.Join(dir, "up"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	only(t, filepath.Join(dir, "real"), "deep", "f", "g")
	link("loop", "loop")
	if err := Replace(filepath.Join(dir, "loop"), nil, 0o600); err == nil {
		t.Error("a link to itself was replaced")
	}
}

// TestReplaceFails: a Replace that fails changes nothing.
func TestReplaceFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "d", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "d"), filepath.Join(dir, "none", "f")} {
		if err := Replace(path, []byte("x"), 0o600); err == nil {
			t.Errorf("%s was replaced", path)
		}
	}
	only(t, dir, "d")
}

// TestDirectoriesThatCannotBeSynced: those of /proc return EINVAL.
func TestDirectoriesThatCannotBeSynced(t *testing.T) {
	dir, err := os.Open("/proc/self")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := dir.Sync(); err == nil {
		t.Fatal("a directory of /proc can be synced: the test needs another")
	}
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := SyncName("/proc/self/status", f); err != nil {
		t.Error(err)
	}
}

// TestLock: a file has one lock by all its names, until it is released.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "state"), filepath.Join(dir, "link")
	if err := os.Symlink("state", link); err != nil {
		t.Fatal(err)
	}
	first, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		if _, err := Lock(name); !errors.Is(err, ErrLocked) {
			t.Errorf("%s is locked twice: %v", name, err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(link)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	only(t, dir, "link", "state.lock")
}

// TestLockIsAFile: anything but a regular file with the name of the lock is not opened.
func TestLockIsAFile(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(path string) error{
		"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link":      func(path string) error { return os.Symlink(other, path) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := filepath.Join(dir, name)
		if err := make(path + ".lock"); err != nil {
			t.Fatal(err)
		}
		if f, err := Lock(path); err == nil || !strings.Contains(err.Error(), path+".lock: not a regular file") {
			t.Errorf("%s: %v", name, err)
			if f != nil {
				f.Close()
			}
		}
	}
}

// TestSweep: it removes the temporary files of killed processes, and nothing else.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	keep := []string{"other.01234567.tmp", "state", "state.0123456.tmp", "state.01234567.tmp.bak",
		"state.012345678.tmp", "state.0123456x.tmp", "state.89abcdef.tmp", "state.lock", "xstate.01234567.tmp"}
	for _, name := range append([]string{"state.01234567.tmp", "state.ffffffff.tmp"}, keep...) {
		err := os.WriteFile(filepath.Join(dir, name), nil, 0o600)
		if name == "state.89abcdef.tmp" {
			err = errors.Join(err, os.Remove(filepath.Join(dir, name)), os.Mkdir(filepath.Join(dir, name), 0o700))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := Sweep(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	only(t, dir, keep...)
}

// TestReplaceNoFile: anything but a regular file is not replaced, also through a link.
func TestReplaceNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("pipe", link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, link} {
		if err := Replace(path, []byte("new"), 0o600); err == nil {
			t.Errorf("%s was replaced", path)
		}
		if info, err := os.Stat(pipe); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
			t.Fatalf("the pipe is now %v, %v", info, err)
		}
	}
	only(t, dir, "link", "pipe")
}
