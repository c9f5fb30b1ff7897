package file

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"feedgate/worker/sink/frame"
)

// recordFile is a file to which records are appended durably, all of them or none. One goroutine
// uses it.
//
// Invariant: while dirty is false, the file has whole records only, and those of this recordFile
// are durable; other processes may have written anything. While dirty is true, the bytes past size
// are garbage, and must be truncated before the next append.
type recordFile struct {
	path    string
	framing frame.Framing
	disk    disk
	log     *slog.Logger

	f     file  // nil: to be opened
	size  int64 // offset of the end of the last valid record
	dirty bool

	// whole is the state of a file of frames when it was closed at the end of one. If the file
	// still has that state when it is opened again, as every retry does, its frames need not be
	// walked.
	whole fileState
}

// disk is the file system, and file an open file, as recordFile needs them. Tests have versions
// with faults.
type disk interface {
	// open opens path for reading and appending, creates it if it does not exist, locks it, and
	// makes its name durable. After that, path still named the file.
	open(path string) (file, error)
	// names reports whether path still names f. An error means that this is unknown.
	names(path string, f file) (bool, error)
	// setAside copies f from one offset to another to a new file, durably. Its name is path or,
	// if that exists, path and a number.
	setAside(path string, f file, from, to int64) (name string, err error)
}

type file interface {
	io.ReaderAt
	io.Writer
	state() (fileState, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// fileState changes whenever a process changes the file. ctime is in nanoseconds.
type fileState struct {
	dev, ino    uint64
	size, ctime int64
}

// maxMoves is how often in a row the file may be renamed during one append or open before that
// fails.
const maxMoves = 8

// errMoving is the error when the file was renamed or replaced maxMoves times.
var errMoving = errors.New("is moved or replaced faster than it can be written to")

// append writes records, and returns nil once they are durable in the file that path names. After
// an error, none of them counts, and the caller tries again.
//
// A rotation renames the file, reads it to its end and removes it. Records written before the
// rename are read. Those written after it may be too late for the reader, so they are written to
// the next file as well: they were in time only if path still names the file after the write. At
// worst, records are in both files.
//
// It uses fsync, as the external contract promises. fdatasync would save nothing: every append
// changes the file's size, which fdatasync writes as well.
func (l *recordFile) append(data []byte) error {
	for range maxMoves {
		if err := l.prepare(); err != nil {
			return err
		}
		kept, err := l.write(data)
		if err != nil {
			l.dirty = true
			// At once, so that readers do not see records that will be written again.
			// If it fails, the next append begins with it.
			_ = l.cutBack()
			return err
		}
		if kept {
			return nil
		}
	}
	return fmt.Errorf("%s %w", l.path, errMoving)
}

// write appends data, makes it durable, and reports whether path still names the file.
func (l *recordFile) write(data []byte) (kept bool, err error) {
	n, err := l.f.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		return false, err
	}
	return l.kept(int64(n))
}

// kept reports whether the n bytes that were just appended are in the file that path names.
func (l *recordFile) kept(n int64) (bool, error) {
	named, err := l.disk.names(l.path, l.f)
	if err != nil || !named {
		return false, err
	}
	st, err := l.f.state()
	if err != nil {
		return false, err
	}
	// If the file was truncated to 0 before the write, it has these bytes only.
	if st.size >= l.size+n || st.size == n {
		l.size = st.size
		return true, nil
	}
	l.log.Warn("another process truncated the sink's file during a write; writing those messages again", "path", l.path)
	l.close()
	return false, nil
}

// prepare opens the file if path names another one by now, and repairs it. Afterwards, it has whole
// records only, and size is its size.
func (l *recordFile) prepare() error {
	if l.f != nil && l.dirty {
		if err := l.cutBack(); err != nil {
			if named, unknown := l.disk.names(l.path, l.f); named || unknown != nil {
				return err
			}
			l.log.Warn("sink file was moved or removed with an unfinished end", "path", l.path, "error", err)
			l.close()
		}
	}
	if l.f != nil {
		named, err := l.disk.names(l.path, l.f)
		if err != nil {
			return err
		}
		if !named {
			// Rotated, and its records are safe; or deleted, and further records would
			// be lost in it.
			l.log.Info("sink file was moved or removed; starting another", "path", l.path)
			l.close()
		}
	}
	if l.f == nil {
		return l.open()
	}
	// Each time, because another process may have truncated the file to 0. To truncate it to
	// its old size would then fill it with zeros.
	st, err := l.f.state()
	if err != nil {
		return err
	}
	if 0 < st.size && st.size < l.size {
		l.log.Warn("another process truncated the sink's file", "path", l.path, "bytes", l.size-st.size)
		l.close()
		return l.open()
	}
	l.size = st.size
	return nil
}

// cutBack truncates the file to size, durably, and closes it. Durably, because after a crash the
// next records must not be mixed with garbage. It closes the file, because after a failed fsync the
// kernel may mark pages as clean that never reached the disk (PostgreSQL's "fsyncgate"): what this
// descriptor reports is not reliable.
func (l *recordFile) cutBack() error {
	st, err := l.f.state()
	if err == nil && st.size > l.size {
		err = l.f.Truncate(l.size)
	}
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("cut back after a failed write: %w", err)
	}
	st, err = l.f.state()
	if err == nil && st.size == l.size {
		l.whole = st
	}
	l.close()
	return nil
}

// reopen opens the file that path names, if it is another one by now. After an error nothing has
// changed.
func (l *recordFile) reopen() error {
	if l.f == nil || l.dirty {
		return l.prepare()
	}
	if named, err := l.disk.names(l.path, l.f); named || err != nil {
		return err
	}
	next := &recordFile{path: l.path, framing: l.framing, disk: l.disk, log: l.log}
	if err := next.open(); err != nil {
		next.close()
		return err
	}
	l.close()
	*l = *next
	return nil
}

// close closes the file. Its records are durable.
func (l *recordFile) close() {
	if l.f == nil {
		return
	}
	if err := l.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		l.log.Warn("close the sink's file", "path", l.path, "error", err)
	}
	l.f, l.dirty = nil, false
}
