package feed

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// keep links the sink's file under a second name, so that its messages are still known after the
// first name is removed.
func (o *outage) keep() string {
	o.t.Helper()
	path := filepath.Join(o.t.TempDir(), "kept")
	if err := os.Link(o.file.Path, path); err != nil {
		o.t.Fatal(err)
	}
	return path
}

func (o *outage) removeFile() {
	o.t.Helper()
	if err := os.Remove(o.file.Path); err != nil {
		o.t.Fatal(err)
	}
}

// readKept reads the kept file as the first part of the sink's file.
func (o *outage) readKept(kept string) {
	o.t.Helper()
	o.moved = true
	path := o.file.Path
	o.file.Follow(kept)
	o.file.Read()
	o.file.Follow(path)
}

// TestDiskFull: the sink's file system is full for a while. It is a small tmpfs, if the test may
// mount one. A limit on the file's size has the same effect and needs no privileges.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	t.Run("tmpfs", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		err := unix.Mount("feedgate-chaos", dir, "tmpfs", 0, "size=8m,mode=0755")
		if errors.Is(err, unix.EPERM) {
			t.Log("NOT TESTED: a full file system: mounting one requires root; the size limit replaces it")
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		o := startOutage(t, dir, testkit.Launch{})
		ballast := filepath.Join(dir, "ballast")
		fill(t, ballast)
		o.checkBlocked("cannot append to the sink's file", "no space left on device")
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		o.over()
	})
	t.Run("size limit", func(t *testing.T) {
		t.Parallel()
		o := startOutage(t, t.TempDir(), testkit.Launch{})
		info, err := os.Stat(o.file.Path)
		if err != nil {
			t.Fatal(err)
		}
		restore := o.limit(unix.RLIMIT_FSIZE, uint64(info.Size())+5000)
		o.checkBlocked("cannot append to the sink's file", "file too large")
		restore()
		o.over()
	})
}

// fill writes until no space is left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 64 << 10; n > 0; {
		if _, err := f.Write(make([]byte, n)); errors.Is(err, unix.ENOSPC) {
			n /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDirectoryGone: the sink's directory is removed while the gateway runs, and later recreated.
func TestDirectoryGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sink")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o := startOutage(t, dir, testkit.Launch{})
	kept := o.keep()
	gone := dir + ".gone" // moved first: the gateway could create a file while the directory is removed
	if err := errors.Join(os.Rename(dir, gone), os.RemoveAll(gone)); err != nil {
		t.Fatal(err)
	}
	o.checkBlocked("cannot append to the sink's file", "no such file or directory")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o.progress()
	o.readKept(kept)
	o.over()
}

// nobody is the user of the gateway if root runs the test: to root, every directory is writable.
const nobody = 65534

// TestDirectoryUnwritable: the sink's file is moved, and no other can be created in its directory.
func TestDirectoryUnwritable(t *testing.T) {
	t.Parallel()
	var uid uint32
	dir, err := os.MkdirTemp(testkit.Scratch, "unwritable-")
	if err == nil && os.Geteuid() == 0 {
		uid = nobody
		err = os.Chown(dir, nobody, nobody)
	}
	if err != nil {
		t.Fatal(err)
	}
	o := startOutage(t, dir, testkit.Launch{UID: uid})
	kept := filepath.Join(testkit.Scratch, filepath.Base(dir)+"-kept")
	if err := errors.Join(os.Chmod(dir, 0o555), os.Rename(o.file.Path, kept)); err != nil {
		t.Fatal(err)
	}
	o.checkBlocked("cannot append to the sink's file", "permission denied")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o.progress()
	o.readKept(kept)
	o.over()
}
