package durable

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// CheckDir returns an error if no file can be created at path, or replaced, because of its directory. It
// changes nothing.
func CheckDir(path string) error {
	target, err := Follow(path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(target)
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("its directory: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("no file can be created in %s: %w", dir, err)
	}
	return nil
}
