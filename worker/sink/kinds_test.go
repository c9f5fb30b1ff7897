package sink_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/discard"
	"feedgate/worker/sink/exec"
	"feedgate/worker/sink/file"
	"feedgate/worker/sink/frame"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/sink/spin"
	"feedgate/worker/sink/stdout"
	"feedgate/worker/testkit"
)

var kinds = sink.Registry{discard.Kind, spin.Kind, stdout.Kind, file.Kind, exec.Kind}

func TestOpenNamesFlagAndFault(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"", "no colon"},
		{"discard", "no colon"},
		{"kafka:topic", "unknown scheme"},
		{"discard:x", "nothing may follow discard:"},
		{"stdout:x", "nothing but ?frame= may follow stdout:"},
		{"stdout:x?frame=json", "nothing but ?frame= may follow stdout:"},
		{"stdout:?", "unknown parameter"},
		{"stdout:?frame=xml", "frame=xml is not line, length or json"},
		{"file:?frame=json", "want a path"},
		{"file:x?", "unknown parameter"},
		{"file:x?frame", "is not line, length or json"},
		{"file:x?frame=", "is not line, length or json"},
		{"file:x?frame=JSON", "is not line, length or json"},
		{"file:x?fram=json", `unknown parameter "fram"`},
		{"file:x?frame=json&sync=no", `unknown parameter "sync"`},
		{"file:x?frame=json&frame=json", "frame is given twice"},
		{"file:x?frame=json&", "unknown parameter"},
		{"file:a?b.log", "a ? in a path is written %3F"},
		{"spin:", "want a duration"},
		{"spin:500", "want a duration"},
		{"spin:-1ns", "want a duration"},
		{"file:", "want a path"},
		{"exec:", "want a command"},
		{"exec:  ", "want a command"},
	} {
		_, err := kinds.Open(c.url, sink.Config{})
		if _, checked := kinds.Parse("--sink", c.url, nil); checked == nil || checked.Error() != err.Error() {
			t.Errorf("%q: Parse finds %v, and Open %v", c.url, checked, err)
		}
		if !errors.Is(err, sink.ErrURL) {
			t.Errorf("%q: %v, want a fault of the URL", c.url, err)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, fmt.Sprintf("--sink %q: ", c.url)) || !strings.Contains(got, c.want) {
			t.Errorf("%q: %s; want the flag, the URL and %q", c.url, got, c.want)
		}
	}
}

func TestOpenNamesAnotherFlag(t *testing.T) {
	_, err := kinds.Open("file:/nonexistent/dir/x", sink.Config{Flag: "--dead-letter"})
	if err == nil || errors.Is(err, sink.ErrURL) || !strings.HasPrefix(err.Error(), `--dead-letter "file:/nonexistent/dir/x": `) {
		t.Errorf("got %v", err)
	}
}

func TestBackoffBounds(t *testing.T) {
	cfg := sink.Config{ReconnectMin: 100 * time.Millisecond, ReconnectMax: time.Second}
	b := cfg.NewBackoff()
	for _, bound := range []time.Duration{200, 400, 800, 1000, 1000} {
		if d := b.NextBackOff(); d < cfg.ReconnectMin || d > bound*time.Millisecond {
			t.Errorf("wait of %v, want %v to %v", d, cfg.ReconnectMin, bound*time.Millisecond)
		}
	}
}

// In a path, only ? must be escaped, and % before 3F or 25.
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
		s, err := kinds.Open("file:"+filepath.Join(dir, written), sink.Config{})
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
		if got := same(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
		if got := same(c.b, c.a); got != c.want {
			t.Errorf("%s and %s: %v", c.b, c.a, got)
		}
	}
}

func same(a, b string) bool {
	// A URL with a fault has no file.
	targetA, _ := kinds.Parse("", a, nil)
	targetB, _ := kinds.Parse("", b, nil)
	return targetA.SameFile(targetB)
}

// Each framing is written to a file and to standard output; some messages contain the separators.
func TestSinksFrame(t *testing.T) {
	messages := []string{"one", "two\nlines", "", "\x00\xff", "\u2028"}
	var lines, frames, objects strings.Builder
	for i, m := range messages {
		fmt.Fprintf(&lines, "%s\n", m)
		frames.Write(binary.BigEndian.AppendUint32(nil, uint32(len(m))))
		frames.WriteString(m)
		objects.Write(frame.JSON.Append(nil, worker.Message{Seq: uint64(i) + 1, Data: []byte(m)}))
	}
	for query, want := range map[string]string{
		"": lines.String(), "?frame=line": lines.String(), "?frame=length": frames.String(), "?frame=json": objects.String(),
	} {
		for _, scheme := range []string{"file", "stdout"} {
			t.Run(scheme+query, func(t *testing.T) {
				path, url := t.TempDir()+"/out", "stdout:"
				var out bytes.Buffer
				if scheme == "file" {
					url = "file:" + path
				}
				log := new(testkit.Log)
				s := sinktest.Open(t, *kinds.Kind(url), url+query, sink.Config{Stdout: &out, Log: log.Tee(t)})
				g := handlertest.Start(t, s, 1, 64)
				for range 2 {
					for _, m := range messages {
						g.Send(0, []byte(m))
					}
					g.Wait(g.Sent())
				}
				g.Stop()
				got := out.String()
				if scheme == "file" {
					data, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					got = string(data)
				}
				if first, _ := strings.CutPrefix(got, want); len(first) == len(got) || g.Refused != 0 {
					t.Errorf("got %q, want it to begin with %q", got, want)
				}
				warnings := 0
				if !strings.Contains(query, "json") && !strings.Contains(query, "length") {
					warnings = 1
				}
				if n := log.Count("a message contains LF"); n != warnings {
					t.Errorf("%d warnings of LF in a message, want %d", n, warnings)
				}
			})
		}
	}
}
