package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
)

// TestFilePermissions: the umask applies to a new file; an old one keeps its permissions.
func TestFilePermissions(t *testing.T) {
	if !sinktest.Alone() {
		cmd, output := sinktest.InOwnProcess(t) // the umask is the process's
		if err := cmd.Run(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	unix.Umask(0o027)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"new": 0o640, "old": 0o600} {
		s, err := sink.Registry{Kind}.Open("file:"+filepath.Join(dir, name), sink.Config{})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

// TestFileInADirectoryThatCannotBeRead: a directory that can be written to, but not read, is
// enough.
func TestFileInADirectoryThatCannotBeRead(t *testing.T) {
	if !sinktest.Alone() {
		dir := t.TempDir()
		cmd, output := sinktest.InOwnProcess(t)
		if os.Getuid() == 0 {
			// As another user, because root may read everything.
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			for _, d := range []string{dir, filepath.Dir(dir), filepath.Dir(filepath.Dir(cmd.Path)), filepath.Dir(cmd.Path)} {
				if err := os.Chmod(d, 0o777); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Dir = "/"
		cmd.Env = append(cmd.Env, "TMPDIR="+dir)
		if err := cmd.Run(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	dir := filepath.Join(os.TempDir(), "box")
	if err := os.Mkdir(dir, 0o300); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadDir(dir); !errors.Is(err, os.ErrPermission) {
		t.Fatalf("the directory can be read: %v", err)
	}
	s := sinktest.Open(t, Kind, "file:"+filepath.Join(dir, "out"), sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("one"))
	g.Wait(1)
	g.Stop()
	if got := content(t, filepath.Join(dir, "out")); got != "one\n" {
		t.Errorf("the file holds %q", got)
	}
}

// TestFileIsReplacedBySomethingElse: while the path names anything but a regular file, messages
// wait. It is not even opened, which the other end of a pipe would notice.
func TestFileIsReplacedBySomethingElse(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"pipe":      {func(path string) error { return unix.Mkfifo(path, 0o600) }, "not a regular file"},
		"directory": {func(path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
		"device":    {func(path string) error { return os.Symlink(os.DevNull, path) }, "not a regular file"},
		"loop":      {func(path string) error { return os.Symlink(path, path) }, "too many levels"},
		"frames": {func(path string) error {
			return os.WriteFile(path, []byte(framed("a")+framed("b")), 0o600)
		}, "holds frames"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			s := sinktest.Open(t, Kind, "file:"+path, sink.Config{})
			g := handlertest.Start(t, s, 1, 64)
			g.Send(0, []byte("one"))
			g.Wait(1)
			if err := errors.Join(os.Rename(path, path+".1"), c.make(path)); err != nil {
				t.Fatal(err)
			}
			g.Send(0, []byte("two"))
			g.WaitFor("the fault", func() bool {
				err := s.Ready()
				return err != nil && strings.Contains(err.Error(), c.want) && strings.Contains(err.Error(), path)
			})
			for g.Poll(20 * time.Millisecond) {
			}
			g.WantResolved(1)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			g.Wait(2)
			g.Stop()
			if a, b := content(t, path+".1"), content(t, path); a != "one\n" || b != "two\n" {
				t.Errorf("got %q and %q", a, b)
			}
		})
	}
}
