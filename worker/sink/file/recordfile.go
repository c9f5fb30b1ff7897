package file

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"feedgate/worker/sink/frame"
)

// recordFile is a file of records that is appended to durably, all or nothing. It
// is one goroutine's.
//
// Invariant: while cut is false, the file holds whole records only, but for what
// others wrote; those of this recordFile were synced. While cut is true, what is
// beyond size is garbage and is cut before the next append.
type recordFile struct {
	path    string
	framing frame.Framing
	disk    disk
	log     *slog.Logger

	f    file  // nil: to be opened
	size int64 // behind the last record that counts
	cut  bool

	// whole is the state in which a file of frames was closed behind a whole one.
	// One that still has it need not be walked through, which matters when every
	// retry opens a large file again.
	whole fileState
}

// disk is the file system as recordFile needs it, and file one open file; tests
// put faults in.
type disk interface {
	// open opens path for reading and appending, alone, creates it when it is
	// missing, and makes its name durable. path named the file after all that.
	open(path string) (file, error)
	// names reports whether path still names f. An error means that this is not
	// known.
	names(path string, f file) (bool, error)
	// setAside makes a new file of f's bytes from one offset to another, durably.
	// Its name is path, or, where that exists, path and a number.
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

// fileState is what changes when anybody changes the file; ctime is in
// nanoseconds.
type fileState struct {
	dev, ino    uint64
	size, ctime int64
}

// maxMoves is how often in turn the file may be moved away under one append before
// that is a failure.
const maxMoves = 8

// errMoving is the failure of an append, or of opening the file, when it was moved
// or replaced maxMoves times meanwhile.
var errMoving = errors.New("is moved or replaced faster than it can be written to")

// append writes records and returns nil once they are durable in the file that
// path names. After an error nothing of them counts, and the caller tries again.
//
// A rotation renames the file, reads it to its end and removes it. What was written
// before the rename will be read. What was written after it may have come too late
// for the reader, so it is written to the next file as well: only if path names the
// file after the write is it known which of the two it was. At worst, records are
// in both files.
//
// It syncs by fsync. fdatasync would do as well: it leaves out only metadata that
// is not needed to read the data back, and Linux counts a changed size among what
// is needed. But every append changes the size, so there is nothing to save by
// it, and the outside contract says fsync.
func (l *recordFile) append(data []byte) error {
	for range maxMoves {
		if err := l.prepare(); err != nil {
			return err
		}
		kept, err := l.write(data)
		if err != nil {
			l.cut = true
			// Cut back at once, so that readers do not see records that are written
			// again. What fails here is tried again first by the next append.
			_ = l.cutBack()
			return err
		}
		if kept {
			return nil
		}
	}
	return fmt.Errorf("%s %w", l.path, errMoving)
}

// write appends data, makes it durable, and then reports whether it is in the file
// that path names.
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

// kept reports whether the n bytes that were just appended are in the file that
// path names.
func (l *recordFile) kept(n int64) (bool, error) {
	named, err := l.disk.names(l.path, l.f)
	if err != nil || !named {
		return false, err
	}
	st, err := l.f.state()
	if err != nil {
		return false, err
	}
	// If the file was emptied before the write, it holds nothing but these bytes.
	if st.size >= l.size+n || st.size == n {
		l.size = st.size
		return true, nil
	}
	l.log.Warn("another process truncated the sink's file during a write; writing those messages again", "path", l.path)
	l.close()
	return false, nil
}

// prepare leaves an open file of whole records that path names, and its size.
func (l *recordFile) prepare() error {
	if l.f != nil && l.cut {
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
			// Rotated away, in which case its records are safe, or deleted, in which
			// case whatever else is written to it would be lost.
			l.log.Info("sink file was moved or removed; starting another", "path", l.path)
			l.close()
		}
	}
	if l.f == nil {
		return l.open()
	}
	// Asked again each time, because another process may have emptied the file, and
	// cutting back to where it ended before would fill it with zeros.
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

// cutBack removes what is beyond size, durably, and closes the file. Durably,
// because after a crash what is written next must not be mixed with remains of what
// was there. Closes, because after a failed fsync the kernel may hold pages as clean
// that never reached the disk (PostgreSQL's "fsyncgate"): nothing that this
// descriptor reports is relied upon.
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

// reopen opens the file that path names, if it is another one by now. After an
// error nothing has changed.
func (l *recordFile) reopen() error {
	if l.f == nil || l.cut {
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

// close gives the file up. Its records were synced; there is nothing to lose.
func (l *recordFile) close() {
	if l.f == nil {
		return
	}
	if err := l.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		l.log.Warn("close the sink's file", "path", l.path, "error", err)
	}
	l.f, l.cut = nil, false
}
