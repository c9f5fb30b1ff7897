package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// unfinished are files whose last record is unfinished, as a killed process or another program leaves them.
var unfinished = map[string]struct {
	query, before, kept, aside string
}{
	"a record without LF":  {"", `{"a":1}`, `{"a":1}` + "\n", ""},
	"last line":            {"", "old\nunfinis", "old\nunfinis\n", ""},
	"last line, JSON":      {"?frame=json", "{}\n{\"se", "{}\n{\"se\n", ""},
	"part of a length":     {"?frame=length", framed("old") + "\x00\x00", framed("old"), "\x00\x00"},
	"part of a frame":      {"?frame=length", framed("old") + framed("unfinished")[:9], framed("old"), framed("unfinished")[:9]},
	"part of a long frame": {"?frame=length", framed("old") + framed(strings.Repeat("u", 300_000))[:200_000], framed("old"), framed(strings.Repeat("u", 300_000))[:200_000]},
}

// TestUnfinishedRecordIsKept: opening a file deletes nothing. What is set aside or completed is so
// before the first message arrives.
func TestUnfinishedRecordIsKept(t *testing.T) {
	t.Parallel()
	for name, c := range unfinished {
		for _, flag := range []string{"--sink", "--dead-letter"} {
			t.Run(name+" "+flag, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "out")
				for file, text := range map[string]string{path: c.before, path + ".unfinished": "kept from before"} {
					if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				args := []string{"--exit-on-close", "--workers=1", flag + "=file:" + path + c.query}
				if flag == "--dead-letter" {
					args = append(args, newChildren(t).sink(t))
				}
				p, _, conn := connectFG(t, "{}", args...)
				if got, err := os.ReadFile(path); err != nil || string(got) != c.kept {
					t.Errorf("before a message, the file holds %.60q, %v; want %.60q", got, err, c.kept)
				}
				aside, err := os.ReadFile(path + ".unfinished.1")
				if c.aside == "" && !errors.Is(err, os.ErrNotExist) || string(aside) != c.aside {
					t.Errorf("set aside is %.60q, %v; want %.60q", aside, err, c.aside)
				}
				if earlier, err := os.ReadFile(path + ".unfinished"); err != nil || string(earlier) != "kept from before" {
					t.Errorf("what was set aside earlier is %q, %v", earlier, err)
				}
				conn.send(data(1, "code=1 new"))
				conn.acks(1)
				conn.finish(0, 0)
				p.exit(0)
				got, err := os.ReadFile(path)
				if err != nil || !strings.HasPrefix(string(got), c.kept) || !strings.Contains(string(got[len(c.kept):]), "code=1 new") {
					t.Errorf("the file holds %.60q, %v", got, err)
				}
				if !strings.Contains(p.stderr.String(), "level=WARN") || !strings.Contains(p.stderr.String(), path) {
					t.Error("there is no warning")
				}
			})
		}
	}
}

// TestFileOfAnotherFramingIsLeftAlone: with exit status 1.
func TestFileOfAnotherFramingIsLeftAlone(t *testing.T) {
	t.Parallel()
	for query, before := range map[string]string{
		"?frame=length": "a line\nanother\n",
		"?frame=json":   framed("one", "two"),
		"":              framed("one", "two"),
	} {
		path := filepath.Join(t.TempDir(), "out")
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		got := command(t, nil, "run", "fg://127.0.0.1:1", "--admin=", "--sink=file:"+path+query, "--connect-timeout=1s")
		if got.status != 1 || !strings.Contains(got.stderr, "--sink") || !strings.Contains(got.stderr, path) || !strings.Contains(got.stderr, "frame=") {
			t.Errorf("%q: status %d, %q; want 1, the flag and the path", query, got.status, got.stderr)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != before {
			t.Errorf("%q: the file holds %q, %v", query, text, err)
		}
	}
}

// TestFileIsUsedOnce: a file that another process uses is status 1, for either flag. Two flags of
// one command line with the same file are status 2, even under different names.
func TestFileIsUsedOnce(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, _, c := connectFG(t, "{}", "--workers=1", sink.flag())
	for _, args := range [][]string{{sink.flag()}, {"--sink=discard:", "--dead-letter=file:" + sink.path}} {
		got := command(t, nil, append([]string{"run", "fg://127.0.0.1:1", "--admin="}, args...)...)
		flag, _, _ := strings.Cut(args[len(args)-1], "=")
		if got.status != 1 || !strings.Contains(got.stderr, "feedgate: "+flag) || !strings.Contains(got.stderr, "in use") {
			t.Errorf("%q: status %d, %q; want 1 and the flag", args, got.status, got.stderr)
		}
	}
	p.stop(c)

	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(dir+"/there", nil, 0o600), os.Symlink("there", dir+"/soft"), os.Link(dir+"/there", dir+"/hard"), os.Symlink("new", dir+"/dangling"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for a, b := range map[string]string{"new": "new", "./new": "new?frame=json", "there": "soft", "hard": "there", "dangling": "new"} {
		got := command(t, nil, "run", "fg://127.0.0.1:1", "--admin=", "--sink=file:"+dir+"/"+a, "--dead-letter=file:"+dir+"/"+b)
		if got.status != 2 || !strings.HasPrefix(got.stderr, "feedgate: --dead-letter") {
			t.Errorf("%s and %s: status %d, %q; want 2 and the flag", a, b, got.status, got.stderr)
		}
	}
}

// TestOnlyRegularFiles: anything else is refused before it is opened.
func TestOnlyRegularFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir + "/pipe", dir, "/dev/null"} {
		got := command(t, nil, "run", "fg://127.0.0.1:1", "--admin=", "--sink=file:"+path)
		if got.status != 1 || !strings.Contains(got.stderr, "\nfeedgate: --sink \"file:"+path+"\": ") {
			t.Errorf("%s: status %d, %q; want 1 and the path", path, got.status, got.stderr)
		}
	}
}

// TestMessagesThatLookLikeFrames: a sender of messages cannot prevent a restart of the gateway.
func TestMessagesThatLookLikeFrames(t *testing.T) {
	t.Parallel()
	for _, messages := range [][]string{
		{framed("ab") + "x"},
		{framed("ab", "c") + "and more"},
		{"\x00\x00\x00\x03ab"},
		{"\x00\x00\x00\x07abc", "de", "\x00\x00\x00\x04fgh"},
	} {
		sink := newFileSink(t)
		for round := range 2 {
			p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", sink.flag())
			for i, m := range messages {
				c.send(data(uint64(i)+1, m))
			}
			c.acks(len(messages))
			c.finish(0, 0)
			p.exit(0)
			want := strings.Repeat(strings.Join(messages, "\n")+"\n", round+1)
			if got := sink.text(t); got != want {
				t.Errorf("round %d: the file holds %q, want %q", round, got, want)
			}
		}
	}
}

// TestNULsAfterFramesAreKept: with a warning, because they may be empty messages.
func TestNULsAfterFramesAreKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	before := framed("a") + strings.Repeat("\x00", 4096)
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", "--sink=file:"+path+"?frame=length")
	c.send(data(1, "new"))
	c.acked(1)
	c.finish(0, 0)
	p.exit(0)
	if got, err := os.ReadFile(path); err != nil || string(got) != before+framed("new") {
		t.Errorf("the file holds %d bytes, %v", len(got), err)
	}
	if log := p.stderr.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "NUL") || !strings.Contains(log, "bytes=4096") {
		t.Error("not one warning of 4096 NUL bytes")
	}
}
