package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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

// TestReplaceFollowsLinks, through others, relative ones, and to what is not there yet.
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
	// The .. behind a link is the parent of the directory that the link leads to.
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

// TestReplaceFails and leaves what was there.
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

// TestDirectoriesThatCannotBeSynced: those of /proc say EINVAL.
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
