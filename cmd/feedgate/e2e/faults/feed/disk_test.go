package feed

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// keep gives the sink's file a second name, so that what was done is still known
// when the first is gone.
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

// joined takes the kept file for the first part of the sink's.
func (o *outage) joined(kept string) {
	o.t.Helper()
	o.moved = true
	path := o.file.Path
	o.file.Follow(kept)
	o.file.Read()
	o.file.Follow(path)
}

// TestDiskFull: the sink's file system is full for a while. It is a small one of the
// test's own where it may mount one. A limit on the file's size stands for it also
// where it may not.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	t.Run("tmpfs", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		err := unix.Mount("feedgate-chaos", dir, "tmpfs", 0, "size=8m,mode=0755")
		if errors.Is(err, unix.EPERM) {
			t.Log("NOT MOUNTED: only root may; the size limit stands in for the full disk")
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
		o.endure("cannot append to the sink's file", "no space left on device")
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
		o.endure("cannot append to the sink's file", "file too large")
		restore()
		o.over()
	})
}

// fill writes until there is no space left.
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

// TestDirectoryGone: the sink's directory is removed while the gateway runs, and
// later made again.
func TestDirectoryGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sink")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o := startOutage(t, dir, testkit.Launch{})
	kept := o.keep()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	o.endure("cannot append to the sink's file", "no such file or directory")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o.progress()
	o.joined(kept)
	o.over()
}

// nobody is who a gateway runs as whose test is root's, for whom no directory is
// unwritable.
const nobody = 65534

// TestDirectoryUnwritable: the sink's file is moved away, and its directory takes no
// other.
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
	o.endure("cannot append to the sink's file", "permission denied")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o.progress()
	o.joined(kept)
	o.over()
}
