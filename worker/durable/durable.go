// Package durable replaces the contents of files atomically and durably: a crash at any moment
// leaves either the old contents or the new ones.
package durable

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxLinks limits the symbolic links that are followed, as the kernel does (path_resolution(7)).
const maxLinks = 40

// Replace replaces the contents of the file at path, durably. After an error, the file is
// unchanged. Of a symbolic link, it replaces the target, also if that does not exist yet. An
// existing file keeps its permissions; a new one has mode, less the umask. Anything but a regular
// file, such as a device, is an error.
func Replace(path string, contents []byte, mode fs.FileMode) error {
	target, err := Follow(path)
	if err != nil {
		return err
	}
	info, statErr := os.Stat(target)
	if statErr == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "replace", Path: target, Err: errors.New("not a regular file")}
	}
	f, err := create(target, mode)
	if err != nil {
		return err
	}
	if statErr == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		_, err = f.Write(contents)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return errors.Join(syncDir(target, f), f.Close())
}

// SyncName makes the name of f durable, which was opened by path. If path is a symbolic link, that
// is the name of its target.
func SyncName(path string, f *os.File) error {
	target, err := Follow(path)
	if err != nil {
		return err
	}
	return syncDir(target, f)
}

// Follow returns the path to which the symbolic links at path lead. There need not be a file.
func Follow(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(path)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, fs.ErrNotExist) {
			return path, nil // no link, or nothing
		}
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			// Not Join, which would drop the .. behind a link to a directory.
			dir, _ := filepath.Split(path)
			to = dir + to
		}
		path = to
	}
	return "", &fs.PathError{Op: "readlink", Path: path, Err: unix.ELOOP}
}

// create creates a temporary file in the directory of target.
func create(target string, mode fs.FileMode) (*os.File, error) {
	for {
		f, err := os.OpenFile(fmt.Sprintf("%s.%08x.tmp", target, rand.Uint32()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// syncDir makes all names in the directory of path durable, that of f included. Some file systems,
// such as FUSE and 9p, have nothing to sync there and return EINVAL, ENOTSUP or ENOSYS. A directory
// that can be written to but not read cannot be opened for that, so the whole file system is
// synced.
func syncDir(path string, f *os.File) error {
	name, _ := filepath.Split(path)
	dir, err := os.Open(cmp.Or(name, "."))
	if errors.Is(err, fs.ErrPermission) {
		if err := unix.Syncfs(int(f.Fd())); err != nil {
			return fmt.Errorf("make the name of %s durable: %w", f.Name(), err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	err = dir.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) {
		err = nil
	}
	if err = errors.Join(err, dir.Close()); err != nil {
		return fmt.Errorf("make the name of %s durable: %w", f.Name(), err)
	}
	return nil
}
