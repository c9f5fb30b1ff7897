package durable

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrLocked is the error of [Lock] if another process has the lock.
var ErrLocked = errors.New("in use by another process")

// Lock locks the file at path for this process. While it is locked, other calls of Lock return
// ErrLocked. It follows symbolic links, so that a file has one lock by all its names. It locks a
// file of its own, path.lock, which is never removed: otherwise, two processes could lock two files
// of that name. Close of the result, or the end of the process, releases the lock.
func Lock(path string) (*os.File, error) {
	target, err := Follow(path)
	if err != nil {
		return nil, err
	}
	name := target + ".lock"
	// Opening a pipe may block, and opening a device may have any effect.
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: errors.New("not a regular file")}
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is %w", path, ErrLocked)
		}
		return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
	}
	return f, nil
}

// Sweep removes temporary files of processes that were killed in Replace of path. The caller must
// have the lock of the file, because Sweep would also remove the temporary file of a running
// Replace.
func Sweep(path string) error {
	target, err := Follow(path)
	if err != nil {
		return err
	}
	dir, base := filepath.Split(target)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if errors.Is(err, fs.ErrPermission) {
		return nil // a directory that can be written to but not read
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if isTemporary(e.Name(), base) && e.Type().IsRegular() {
			if err := os.Remove(dir + e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// isTemporary reports whether create makes files with this name for base.
func isTemporary(name, base string) bool {
	middle := len(name) - len(".tmp")
	if start := middle - 8; start != len(base)+1 || name[:start] != base+"." || name[middle:] != ".tmp" {
		return false
	}
	_, err := hex.DecodeString(name[middle-8 : middle])
	return err == nil
}
