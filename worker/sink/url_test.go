package sink

import (
	"os"
	"path/filepath"
	"testing"
)

// Only ? needs an escape in a path, and % before 3F or 25.
func TestPathsInURLs(t *testing.T) {
	dir := t.TempDir()
	for written, want := range map[string]string{
		"plain":            "plain",
		"a b":              "a b",
		"what%3F":          "what?",
		"what%3f":          "what?",
		"50%25":            "50%",
		"%253F":            "%3F",
		"%20":              "%20",
		"100%":             "100%",
		"%2":               "%2",
		"a=b&c":            "a=b&c",
		"q%3Fframe=json":   "q?frame=json",
		"d?frame=line":     "d",
		"x%3Fy?frame=json": "x?y",
	} {
		s, err := Open("file:"+filepath.Join(dir, written), Config{})
		if err != nil {
			t.Errorf("file:%s: %v", written, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, want)); err != nil {
			t.Errorf("file:%s: %v", written, err)
		}
	}
}

func TestSameFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, err := range []error{
		os.WriteFile("there", nil, 0o600), os.Mkdir("sub", 0o700),
		os.Link("there", "hard"), os.Symlink("there", "soft"), os.Symlink("sub", "dir"),
		os.Symlink("nothing", "dangling"), os.Symlink("dir/../nothing", "round"), os.Symlink("loop", "loop"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"file:new", "file:new", true},
		{"file:new", "file:./new", true},
		{"file:new", "file:" + dir + "/new", true},
		{"file:new", "file:new?frame=json", true},
		{"file:new", "file:sub/new", false},
		{"file:sub/new", "file:dir/new", true},
		{"file:there", "file:hard", true},
		{"file:there", "file:soft?frame=length", true},
		{"file:there", "file:new", false},
		{"file:nothing", "file:dangling", true},
		{"file:nothing", "file:round", true},
		{"file:nothing", "file:other", false},
		{"file:loop", "file:loop", true},
		{"file:loop", "file:new", false},
		{"file:a%3Fb", "file:a%3fb", true},
		{"file:", "file:", false},
		{"stdout:", "stdout:", false},
		{"stdout:", "file:new", false},
	} {
		if got := SameFile(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
		if got := SameFile(c.b, c.a); got != c.want {
			t.Errorf("%s and %s: %v", c.b, c.a, got)
		}
	}
}
