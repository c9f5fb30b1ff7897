package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/frame"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

func TestFileFollowsRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	log := new(testkit.Log)
	s := sinktest.Open(t, Kind, "file:"+path, sink.Config{Log: log.Tee(t)})
	g := handlertest.Start(t, s, 1, 256)
	g.Send(0, []byte("one"))
	g.Wait(1)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	g.Send(0, []byte("two"))
	g.Wait(2)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	g.Send(0, []byte("three"))
	g.Wait(3)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	g.Send(0, []byte("four"))
	g.Wait(4)
	g.Stop()
	if a, b := content(t, path+".1"), content(t, path); a != "one\n" || b != "four\n" {
		t.Errorf("got %q and %q", a, b)
	}
	if log.Count("moved or removed") != 2 {
		t.Error("not logged")
	}
}

// rotations are the ways of other processes to rotate the file, in steps between which the sink may
// act. Each step returns what it has read.
var rotations = map[string][]func(path string) (string, error){
	"rename, read, remove": {
		func(path string) (string, error) { return "", os.Rename(path, path+".1") },
		func(path string) (string, error) { return take(path + ".1") },
	},
	"rename, create, read, remove": {
		func(path string) (string, error) { return "", os.Rename(path, path+".1") },
		func(path string) (string, error) {
			return "", os.WriteFile(path, []byte("a header\n"), 0o600)
		},
		func(path string) (string, error) { return take(path + ".1") },
	},
	"link, unlink, read, remove": {
		func(path string) (string, error) { return "", os.Link(path, path+".1") },
		func(path string) (string, error) { return "", os.Remove(path) },
		func(path string) (string, error) { return take(path + ".1") },
	},
	"rename, read, twice": {
		func(path string) (string, error) { return rename(path, path+".1") },
		func(path string) (string, error) { return rename(path, path+".2") },
	},
	"replaced by a link to a new file": {
		func(path string) (string, error) {
			text, err := rename(path, path+".1")
			return text, errors.Join(err, os.Symlink(path+".new", path))
		},
	},
}

// take reads a file and removes it.
func take(path string) (string, error) {
	text, err := os.ReadFile(path)
	return string(text), errors.Join(err, os.Remove(path))
}

func rename(path, to string) (string, error) {
	if err := os.Rename(path, to); errors.Is(err, os.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return take(to)
}

// TestFileLosesNothingToARotation: however the steps of a rotation and the operations of a commit
// interleave, acknowledged messages were read by the rotation or are in the file.
func TestFileLosesNothingToARotation(t *testing.T) {
	for name, steps := range rotations {
		t.Run(name, func(t *testing.T) {
			for at := 0; ; at++ {
				for gap := range 4 {
					if ops := rotateAt(t, steps, at, gap); ops <= at && gap == 0 {
						if at < 5 {
							t.Fatalf("a commit has %d operations only", at)
						}
						return
					}
				}
			}
		})
	}
}

// rotateAt commits a message. It runs the steps before operation at of the commit, and then every
// gap operations. It returns the number of operations.
func rotateAt(t *testing.T, steps []func(string) (string, error), at, gap int) (ops int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out")
	d := new(faultDisk)
	cfg := sinktest.Prepare(t, sink.Config{Log: new(testkit.Log).Logger()})
	s, err := newFile(path, frame.Line, cfg, defaultBuffer, d)
	if err != nil {
		t.Fatal(err)
	}
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("one"))
	g.Wait(1)
	var read strings.Builder
	step := func() {
		text, err := steps[0](path)
		if err != nil {
			t.Errorf("rotation: %v", err)
		}
		read.WriteString(text)
		steps = steps[1:]
	}
	d.set(func(string) error {
		for len(steps) > 0 && ops >= at && (gap == 0 || (ops-at)%gap == 0) {
			step()
			if gap > 0 {
				break
			}
		}
		ops++
		return nil
	})
	g.Send(0, []byte("two"))
	g.Wait(2)
	g.Stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for len(steps) > 0 {
		step()
	}
	if _, err := os.Stat(path); err == nil {
		read.WriteString(content(t, path))
	}
	if one, two := strings.Index(read.String(), "one\n"), strings.Index(read.String(), "two\n"); one < 0 || two < one {
		t.Errorf("rotation at operation %d, steps %d apart: what is left is %q", at, gap, read.String())
	}
	return ops
}

// TestFileIsEmptiedDuringACommit: if the file is truncated to 0 during a commit, the messages are
// written again.
func TestFileIsEmptiedDuringACommit(t *testing.T) {
	for _, op := range []string{"write", "sync", "names", "state"} {
		t.Run(op, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			d := new(faultDisk)
			s := fileSinkAt(t, path, sink.Config{}, defaultBuffer, d)
			g := handlertest.Start(t, s, 1, 64)
			g.Send(0, []byte("one"))
			g.Wait(1)
			// The last operation of its kind in the commit, the only one of the others.
			last := 1
			if op == "names" || op == "state" {
				last = 2
			}
			n := 0
			d.set(func(o string) error {
				if o != op {
					return nil
				}
				if n++; n == last {
					return os.Truncate(path, 0)
				}
				return nil
			})
			g.Send(0, []byte("two"))
			g.Wait(2)
			g.Stop()
			if got := content(t, path); got != "two\n" {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}

// TestFileIsCutByOthers: if another process truncates the file in the middle of a line, that is
// repaired before the next write.
func TestFileIsCutByOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	s := sinktest.Open(t, Kind, "file:"+path, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("first"))
	g.Wait(1)
	if err := os.Truncate(path, 3); err != nil {
		t.Fatal(err)
	}
	g.Send(0, []byte("second"))
	g.Wait(2)
	g.Stop()
	if got := content(t, path); got != "fir\nsecond\n" {
		t.Errorf("the file holds %q", got)
	}
}

// TestFileMovesWithoutEnd: if the file is renamed again and again, the append fails, so that the
// sink reports it and can be closed.
func TestFileMovesWithoutEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	d := new(faultDisk)
	s := fileSinkAt(t, path, sink.Config{}, defaultBuffer, d)
	g := handlertest.Start(t, s, 1, 64)
	n := 0
	d.set(func(op string) error {
		if op != "sync" {
			return nil
		}
		n++
		_, err := rename(path, fmt.Sprint(path, ".", n))
		return err
	})
	g.Send(0, []byte("one"))
	g.WaitFor("the failure", func() bool { return errors.Is(s.Ready(), errMoving) })
	g.WantResolved(0)
	d.set(nil)
	g.Wait(1)
	g.Stop()
	if got := content(t, path); got != "one\n" {
		t.Errorf("the file holds %q", got)
	}
}
