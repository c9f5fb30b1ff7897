package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"feedgate/worker/durable"
)

// errInUse is the error of opening a file that is locked.
var errInUse = errors.New("in use by another process or another sink; each needs a file of its own")

// osDisk is the real file system.
type osDisk struct{}

// osFile is a real file.
type osFile struct{ *os.File }

func (d osDisk) open(path string) (file, error) {
	// Another process may rename the file before it is locked and its name is durable. Then it
	// is the wrong file.
	for range maxMoves {
		f, err := openAlone(path)
		if err != nil {
			return nil, err
		}
		err = durable.SyncName(path, f)
		named := false
		if err == nil {
			named, err = d.names(path, osFile{f})
		}
		switch {
		case named:
			return osFile{f}, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, errors.Join(err, f.Close())
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s %w", path, errMoving)
}

// openAlone opens path, or creates it subject to the umask, and locks it.
func openAlone(path string) (*os.File, error) {
	// Checked before the file is opened, because opening a device or a pipe can have effects.
	if info, err := os.Stat(path); err == nil {
		if err := regular(path, info); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NOCTTY, 0o644)
	if err != nil {
		return nil, err
	}
	if err := lock(path, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// regular returns an error unless the file is a regular one, which can be truncated and read.
func regular(path string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return &fs.PathError{Op: "open", Path: path, Err: unix.EISDIR}
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: not a regular file", path)
	}
	return nil
}

// lock checks that f is a regular file and locks it: truncating it would remove what another
// process has appended meanwhile.
func lock(path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := regular(path, info); err != nil {
		return err
	}
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case unix.EINTR:
			continue
		case unix.EWOULDBLOCK:
			return fmt.Errorf("%s: %w", path, errInUse)
		default:
			// Some file systems have no locks; the sink writes to them without.
			return nil
		}
	}
}

func (osDisk) names(path string, f file) (bool, error) {
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	open, err := f.(osFile).Stat()
	return err == nil && os.SameFile(there, open), nil
}

// maxAside limits the search for a free name.
const maxAside = 10_000

func (osDisk) setAside(path string, f file, from, to int64) (string, error) {
	info, err := f.(osFile).Stat()
	if err != nil {
		return "", err
	}
	name := path
	for n := 1; ; n++ {
		// O_EXCL: earlier files are kept, and no link is followed.
		out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
		if errors.Is(err, fs.ErrExist) && n < maxAside {
			name = path + "." + strconv.Itoa(n)
			continue
		}
		if err != nil {
			return "", err
		}
		return name, fill(out, name, io.NewSectionReader(f, from, to-from))
	}
}

// fill writes a new file durably and closes it. After an error, it removes the file.
func fill(out *os.File, name string, from io.Reader) error {
	_, err := io.Copy(out, from)
	if err == nil {
		err = out.Sync()
	}
	if err == nil {
		err = durable.SyncName(name, out)
	}
	err = errors.Join(err, out.Close())
	if err != nil {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func (f osFile) state() (fileState, error) {
	var st unix.Stat_t
	for {
		switch err := unix.Fstat(int(f.Fd()), &st); err {
		case nil:
			return fileState{uint64(st.Dev), st.Ino, st.Size, st.Ctim.Nano()}, nil
		case unix.EINTR:
		default:
			return fileState{}, fmt.Errorf("fstat %s: %w", f.Name(), err)
		}
	}
}
