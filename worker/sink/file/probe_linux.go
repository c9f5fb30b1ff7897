package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"feedgate/worker/durable"
	"feedgate/worker/sink"
)

// probe returns Probe of [sink.Target]. It takes no lock, because a running process may have it.
func probe(path string) func(context.Context, *sink.Config) (string, error) {
	return func(ctx context.Context, _ *sink.Config) (string, error) {
		var found string
		err := durable.Within(ctx, path, func() (err error) {
			found, err = probeFile(path)
			return err
		})
		if err != nil {
			return "", err
		}
		return found, nil
	}
}

// probeFile checks that a file can be appended to or created, and that its disk has space.
func probeFile(path string) (found string, err error) {
	target, err := durable.Follow(path)
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(target)
	found = "is not there yet; it can be created"
	switch info, err := os.Stat(target); {
	case err == nil:
		if err := regular(path, info); err != nil {
			return "", err
		}
		if err := unix.Faccessat(unix.AT_FDCWD, target, unix.R_OK|unix.W_OK, unix.AT_EACCESS); err != nil {
			return "", fmt.Errorf("%s cannot be read and appended to: %w", path, err)
		}
		found = fmt.Sprintf("can be appended to; it has %d bytes", info.Size())
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	default:
		if err := durable.CheckDir(path); err != nil {
			return "", err
		}
	}
	free, err := freeSpace(dir)
	if err != nil {
		return "", err
	}
	return found + "; " + free, nil
}

// kernelFiles are the types of file systems whose files are the kernel's: they keep none of ours.
var kernelFiles = map[int64]string{
	unix.SYSFS_MAGIC: "sysfs", unix.PROC_SUPER_MAGIC: "proc", unix.CGROUP2_SUPER_MAGIC: "cgroup2",
	unix.CGROUP_SUPER_MAGIC: "cgroup", unix.DEBUGFS_MAGIC: "debugfs", unix.TRACEFS_MAGIC: "tracefs",
}

// freeSpace returns how much the disk of a directory has left, as a clause. It is an error if that is nothing.
func freeSpace(dir string) (string, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return "", &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	name, kernel := kernelFiles[int64(disk.Type)]
	switch {
	case kernel:
		return "", fmt.Errorf("%s is in a file system of the kernel (%s), where no file can be created", dir, name)
	case disk.Blocks > 0 && disk.Bavail == 0, disk.Files > 0 && disk.Ffree == 0:
		return "", fmt.Errorf("the disk of %s is full", dir)
	case disk.Blocks == 0: // a tmpfs without a limit, for example
		return "its file system reports no limit", nil
	}
	return fmt.Sprintf("%d MiB are free on its disk", disk.Bavail*uint64(disk.Bsize)>>20), nil
}
