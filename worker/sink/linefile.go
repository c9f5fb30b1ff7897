package sink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// lineFile is a file of whole lines that is appended to durably, all or nothing.
// It is one goroutine's.
//
// Invariant: while cut is false, the file holds whole lines only, and all of
// them were synced by this lineFile or were there when it opened the file. While
// cut is true, what is beyond size is of no account and must go first.
type lineFile struct {
	path string
	disk disk
	log  *slog.Logger

	f    file // nil: to be opened
	size int64
	cut  bool
}

// disk is the file system as lineFile needs it, and file one open file; tests
// put faults in.
type disk interface {
	// open opens path for reading and appending, alone, creates it when it is
	// missing, and makes its name durable.
	open(path string) (file, error)
	// names reports whether path still names f.
	names(path string, f file) bool
}

type file interface {
	io.ReaderAt
	io.Writer
	size() (int64, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// append writes data, which must end with LF, and returns nil once it is durable.
// After an error nothing of it counts, and the caller tries again.
//
// It syncs by fsync. fdatasync would do as well: it leaves out only metadata that
// is not needed to read the data back, and Linux counts a changed size among what
// is needed. But every append changes the size, so there is nothing to save by
// it, and the outside contract says fsync.
func (l *lineFile) append(data []byte) error {
	if err := l.prepare(); err != nil {
		return err
	}
	err := l.writeAndSync(data)
	if err == nil {
		return nil
	}
	l.cut = true
	// Cut back at once, so that readers do not see lines that are written again.
	// What fails here is tried again first by the next append.
	_ = l.cutBack()
	return err
}

func (l *lineFile) writeAndSync(data []byte) error {
	n, err := l.f.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	return l.f.Sync()
}

// prepare leaves an open file of whole lines that path names, and its size.
func (l *lineFile) prepare() error {
	if l.f != nil && l.cut {
		if err := l.cutBack(); err != nil {
			if l.disk.names(l.path, l.f) {
				return err
			}
			l.log.Warn("sink file was moved or removed with an unfinished end", "path", l.path, "error", err)
			l.close()
		}
	}
	if l.f != nil && !l.disk.names(l.path, l.f) {
		// Rotated away, in which case its lines are safe, or deleted, in which
		// case whatever else is written to it would be lost.
		l.log.Info("sink file was moved or removed; starting another", "path", l.path)
		l.close()
	}
	if l.f == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	// Asked again each time, because the file may have been emptied behind our
	// back, and cutting back to where it ended before would fill it with zeros.
	size, err := l.f.size()
	if err != nil {
		return err
	}
	l.size = size
	return nil
}

// cutBack removes what is beyond size, durably, and closes the file. Durably, for
// after a crash what is written next must not show over remains of what was
// there. Closes, for after a failed fsync the kernel may hold pages as clean that
// never reached the disk (PostgreSQL's "fsyncgate"): nothing that this descriptor
// says is relied upon.
func (l *lineFile) cutBack() error {
	size, err := l.f.size()
	if err == nil && size > l.size {
		err = l.f.Truncate(l.size)
	}
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("cut back after a failed write: %w", err)
	}
	l.close()
	return nil
}

// open opens the file and cuts off an unfinished last line.
func (l *lineFile) open() error {
	f, err := l.disk.open(l.path)
	if err != nil {
		return err
	}
	if err := l.cutTail(f); err != nil {
		return errors.Join(err, f.Close())
	}
	l.f, l.cut = f, false
	return nil
}

func (l *lineFile) cutTail(f file) error {
	size, err := f.size()
	if err != nil {
		return err
	}
	end, err := endOfLines(f, size)
	if err != nil {
		return fmt.Errorf("look for the last line: %w", err)
	}
	if end < size {
		if err := f.Truncate(end); err != nil {
			return fmt.Errorf("cut off an unfinished last line: %w", err)
		}
		l.log.Warn("unfinished last line cut off", "path", l.path, "bytes", size-end)
	}
	// Also for what a process before this one has cut back and not synced.
	return f.Sync()
}

// endOfLines is the offset behind the last LF.
func endOfLines(r io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, min(size, 64<<10))
	for size > 0 {
		from := max(0, size-int64(len(buf)))
		part := buf[:size-from]
		if _, err := r.ReadAt(part, from); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		size = from
	}
	return 0, nil
}

// close gives the file up. Its lines were synced; there is nothing to lose.
func (l *lineFile) close() {
	if l.f == nil {
		return
	}
	if err := l.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		l.log.Warn("close the sink's file", "path", l.path, "error", err)
	}
	l.f, l.cut = nil, false
}
