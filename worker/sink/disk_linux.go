package sink

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"feedgate/worker/durable"
)

// osDisk is the real file system.
type osDisk struct{}

// osFile is a real file.
type osFile struct{ *os.File }

func (osDisk) open(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := claim(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	if err := durable.SyncName(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return osFile{f}, nil
}

// claim makes sure that f is a file that can be cut, and that nobody else does:
// cutting back would remove what another process has appended meanwhile.
func claim(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case unix.EINTR:
			continue
		case unix.EWOULDBLOCK:
			return errors.New("in use by another process or another flag; give each its own file")
		default:
			// Some file systems know no locks; that is no reason not to write.
			return nil
		}
	}
}

func (osDisk) names(path string, f file) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	open, err := f.(osFile).Stat()
	return err == nil && os.SameFile(there, open)
}

func (f osFile) size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
