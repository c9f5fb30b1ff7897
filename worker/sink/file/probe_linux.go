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
		type result struct {
			found string
			err   error
		}
		done := make(chan result, 1)
		go func() { // a file system that hangs cannot be interrupted
			found, err := probeFile(path)
			done <- result{found, err}
		}()
		select {
		case r := <-done:
			return r.found, r.err
		case <-ctx.Done():
			return "", fmt.Errorf("%s: the file system does not answer", path)
		}
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
	free, err := freeBytes(dir)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s; %d MiB are free on its disk", found, free>>20), nil
}

// freeBytes returns how much the disk of a directory has left. It is an error if that is nothing.
func freeBytes(dir string) (uint64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	free := disk.Bavail * uint64(disk.Bsize)
	if free == 0 || disk.Files > 0 && disk.Ffree == 0 {
		return 0, fmt.Errorf("the disk of %s is full", dir)
	}
	return free, nil
}
