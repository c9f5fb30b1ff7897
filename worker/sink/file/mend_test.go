package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/frame"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

func framed(message string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(message)))) + message
}

func nuls(n int) string { return strings.Repeat("\x00", n) }

// TestFileIsMendedWhenOpened: whatever a file contains when it is opened, nothing is deleted.
func TestFileIsMendedWhenOpened(t *testing.T) {
	long := strings.Repeat("l", 3*walkBuffer)
	many := strings.Repeat(framed("0123456789"), 20_000)
	for name, c := range map[string]struct {
		query, before, kept, aside string
		warning                    string
	}{
		"empty":                  {"", "", "", "", ""},
		"whole lines":            {"", "a\nb\n", "a\nb\n", "", ""},
		"one unfinished line":    {"", `{"a":1}`, `{"a":1}` + "\n", "", "unfinished last line"},
		"last line":              {"", "a\nb", "a\nb\n", "", "unfinished last line"},
		"long last line":         {"?frame=json", "a\n" + long, "a\n" + long + "\n", "", "unfinished last line"},
		"NULs":                   {"", "\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x00\n", "", "unfinished last line"},
		"frames and a part":      {"", framed("abc") + framed("d") + framed("efg")[:5], framed("abc") + framed("d") + framed("efg")[:5] + "\n", "", "unfinished last line"},
		"like many frames":       {"", many + "no frame\n", many + "no frame\n", "", ""},
		"a line like a frame":    {"", framed("ab\n"), framed("ab\n"), "", "reads as lines and as frames"},
		"lines like frames":      {"", framed("ab\n") + framed("\n\n"), framed("ab\n") + framed("\n\n"), "", "reads as lines and as frames"},
		"empty frames":           {"?frame=length", framed("a") + nuls(64), framed("a") + nuls(64), "", ""},
		"NULs behind frames":     {"?frame=length", framed("a") + nuls(4096), framed("a") + nuls(4096), "", "offset=5 bytes=4096"},
		"only NULs":              {"?frame=length", nuls(1 << 20), nuls(1 << 20), "", "offset=0 bytes=1048576"},
		"NULs and a frame":       {"?frame=length", nuls(4096) + framed("a"), nuls(4096) + framed("a"), "", ""},
		"binary line":            {"", "\x00\x00\x00\x05hello\n", "\x00\x00\x00\x05hello\n", "", ""},
		"no frames":              {"?frame=length", "", "", "", ""},
		"whole frames":           {"?frame=length", framed("a\n") + framed(""), framed("a\n") + framed(""), "", ""},
		"part of a header":       {"?frame=length", framed("a") + "\x00\x00", framed("a"), "\x00\x00", "unfinished last frame"},
		"header alone":           {"?frame=length", framed("a") + "\x00\x00\x00\x01", framed("a"), "\x00\x00\x00\x01", "unfinished last frame"},
		"part of a frame":        {"?frame=length", framed("a") + framed("bcd")[:6], framed("a"), framed("bcd")[:6], "unfinished last frame"},
		"part of the only frame": {"?frame=length", framed("bcd")[:6], "", framed("bcd")[:6], "unfinished last frame"},
		"long last frame":        {"?frame=length", many + framed(long)[:2*walkBuffer], many, framed(long)[:2*walkBuffer], "unfinished last frame"},
		"many frames":            {"?frame=length", many, many, "", ""},
		"long frames":            {"?frame=length", framed(long) + framed("x") + framed(long), framed(long) + framed("x") + framed(long), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			if err := os.WriteFile(path, []byte(c.before), 0o640); err != nil {
				t.Fatal(err)
			}
			log := new(testkit.Log)
			s := sinktest.Open(t, Kind, "file:"+path+c.query, sink.Config{Log: log.Tee(t)})
			if got := content(t, path); got != c.kept {
				t.Errorf("the file holds %.100q, want %.100q", got, c.kept)
			}
			aside, err := os.ReadFile(path + ".unfinished")
			if err != nil && !errors.Is(err, os.ErrNotExist) || string(aside) != c.aside {
				t.Errorf("set aside is %.100q, %v; want %.100q", aside, err, c.aside)
			}
			if n := log.Count("level=WARN"); (n == 1) != (c.warning != "") || log.Count(c.warning) < n || n > 1 {
				t.Errorf("%d warnings, want of %q", n, c.warning)
			}
			g := handlertest.Start(t, s, 1, 64)
			g.Send(0, []byte("new"))
			g.Wait(1)
			g.Stop()
			if got := content(t, path); len(got) <= len(c.kept) || !strings.HasPrefix(got, c.kept) {
				t.Errorf("after a message, the file holds %.100q", got)
			}
		})
	}
}

// TestFrameIsSetAsideUnderAFreeName: earlier files with unfinished frames are not overwritten, and
// a link with such a name is not followed.
func TestFrameIsSetAsideUnderAFreeName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	if err := os.WriteFile(path+".unfinished", []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("elsewhere", path+".unfinished.1"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{".unfinished.2", ".unfinished.3"} {
		if err := os.WriteFile(path, []byte(framed("a")+"\x00\x00"), 0o640); err != nil {
			t.Fatal(err)
		}
		s, err := sink.Registry{Kind}.Open("file:"+path+"?frame=length", *sinktest.Prepare(t, sink.Config{}))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := content(t, path+want); got != "\x00\x00" {
			t.Errorf("%d: set aside %q", i, got)
		}
		info, err := os.Stat(path + want)
		if err != nil || info.Mode() != 0o640 {
			t.Errorf("mode %v, want that of the file; %v", info.Mode(), err)
		}
	}
	if content(t, path+".unfinished") != "earlier" {
		t.Error("an earlier file is gone")
	}
	if _, err := os.Stat(filepath.Join(dir, "elsewhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a link was followed: %v", err)
	}
}

// TestFileOfAnotherFramingIsRefused: a file with another framing is not changed, because a repair
// would destroy it.
func TestFileOfAnotherFramingIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ query, before, where string }{
		"lines as frames":             {"?frame=length", "some line\nanother", "byte 0"},
		"a short line as frames":      {"?frame=length", "a\n", "byte 0"},
		"JSON as frames":              {"?frame=length", `{"seq":1,"id":"","data":""}` + "\n", "byte 0"},
		"lines behind frames":         {"?frame=length", framed("abc") + framed("d") + "a line\n", "byte 12"},
		"noise as frames":             {"?frame=length", "\xff\xd8\xff\xe0JFIF", "byte 0"},
		"a frame as a line":           {"", framed("abc"), "holds frames"},
		"frames as lines":             {"", framed("abc\n") + framed("") + framed("\n\n\n "), "holds frames"},
		"many frames as JSON":         {"?frame=json", strings.Repeat(framed("abc\n"), 1000), "holds frames"},
		"one frame of a line as JSON": {"?frame=json", framed("ab\n"), "holds frames"},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.VerifyNoLeaks(t)
			path := filepath.Join(t.TempDir(), "out")
			if err := os.WriteFile(path, []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := sink.Registry{Kind}.Open("file:"+path+c.query, sink.Config{})
			if err == nil || !errors.Is(err, errFraming) || errors.Is(err, sink.ErrURL) || !strings.Contains(err.Error(), c.where) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
			if got := content(t, path); got != c.before {
				t.Errorf("the file holds %q, and held %q", got, c.before)
			}
		})
	}
}

// hugeFile is a file of frames of 1 GiB each, and the beginning of one more. It has contents for
// the headers and the end only.
type hugeFile struct {
	frames int64
	read   int64
}

const hugeFrame = frame.HeaderSize + worker.MaxMessage

func (f *hugeFile) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	f.read += int64(len(p))
	for i := range p {
		if at := (off + int64(i)) % hugeFrame; at == 0 {
			p[i] = worker.MaxMessage >> 24
		}
	}
	return len(p), nil
}

// TestWalkIsBounded: walking a file of any size takes little memory, and reads little more than the
// headers.
func TestWalkIsBounded(t *testing.T) {
	f := &hugeFile{frames: 3000}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := frameWalk{r: f, size: f.frames*hugeFrame + 1000}
	for more := true; more; {
		var err error
		if more, err = w.next(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if w.end != f.frames*hugeFrame || w.foreign() {
		t.Errorf("the last whole frame ends at %d, want %d", w.end, f.frames*hugeFrame)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	if f.read > (f.frames+1)*walkBuffer {
		t.Errorf("%d bytes were read", f.read)
	}
}

type brokenReader struct{}

func (brokenReader) ReadAt([]byte, int64) (int, error) { return 0, errFault }

func TestWalkPassesReadErrorsOn(t *testing.T) {
	w := frameWalk{r: brokenReader{}, size: 5}
	if _, err := w.next(); !errors.Is(err, errFault) {
		t.Errorf("got %v", err)
	}
	if _, err := holdsFrames(brokenReader{}, 5); !errors.Is(err, errFault) {
		t.Errorf("got %v", err)
	}
}

// TestFileThatCannotBeMendedIsAnError: a file that cannot be repaired is not opened; later, once it
// can be, it is.
func TestFileThatCannotBeMendedIsAnError(t *testing.T) {
	for _, op := range []string{"write", "sync", "setAside", "truncate"} {
		t.Run(op, func(t *testing.T) {
			sinktest.VerifyNoLeaks(t)
			path := filepath.Join(t.TempDir(), "out")
			before, f := "line", frame.Line
			if op == "setAside" || op == "truncate" {
				before, f = framed("a")+"\x00", frame.Length
			}
			if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			d := new(faultDisk)
			d.set(func(o string) error {
				if o == op {
					return errFault
				}
				return nil
			})
			cfg := sinktest.Prepare(t, sink.Config{})
			if _, err := newFile(path, f, cfg, defaultBuffer, d); !errors.Is(err, errFault) {
				t.Errorf("got %v", err)
			}
			if got := content(t, path); !bytes.HasPrefix([]byte(got), []byte(before)) {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}

// TestFramesAreLookedThroughOnce: after a failed write, every retry opens the file again. Its
// frames are not walked again, which may take long, unless another process has changed it.
func TestFramesAreLookedThroughOnce(t *testing.T) {
	for _, changed := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "out")
		if err := os.WriteFile(path, []byte(framed("old")), 0o600); err != nil {
			t.Fatal(err)
		}
		d := new(faultDisk)
		l := &recordFile{path: path, framing: frame.Length, disk: d, log: new(testkit.Log).Logger()}
		if err := l.open(); err != nil {
			t.Fatal(err)
		}
		d.set(func(op string) error {
			if op == "write" {
				return errFault
			}
			return nil
		})
		for range 3 {
			if err := l.append([]byte(framed("new"))); !errors.Is(err, errFault) {
				t.Fatalf("got %v", err)
			}
		}
		if d.tried("read") > 0 {
			t.Error("its frames were walked again")
		}
		if changed {
			if err := os.WriteFile(path, []byte(framed("old")+"\x00"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d.set(nil)
		if err := l.append([]byte(framed("new"))); err != nil {
			t.Fatal(err)
		}
		l.close()
		if got := content(t, path); got != framed("old")+framed("new") {
			t.Errorf("changed %v: the file holds %q", changed, got)
		}
	}
}
