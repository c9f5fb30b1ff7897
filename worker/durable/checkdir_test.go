package durable

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckDir: nothing is created; symbolic links are followed.
func TestCheckDir(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"good": "new", "bad": "none/new"} {
		if err := os.Symlink(in(target), in(name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"new": "", "file": "", "good": "", "none/new": "its directory: ", "bad": "its directory: ", "file/new": "not a directory",
	} {
		err := CheckDir(in(name))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("%v, %v", entries, err)
	}
}
