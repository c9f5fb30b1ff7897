package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"feedgate/worker"
	"feedgate/worker/sink/frame"
)

// A killed process, or a crash, can leave an unfinished record at the end of the file. Opening the
// file repairs that, and deletes nothing: a line gets its LF; a frame, behind which no other could
// be found, is moved to a file of its own.

// walkBuffer is the size of a read when frames are walked, in bytes.
const walkBuffer = 64 << 10

// manyNULs is how many NUL bytes at the end of a file of frames cause a warning.
const manyNULs = 64

// errFraming is the error of opening a file that was written with another ?frame=.
var errFraming = errors.New("it was written with another ?frame=, or by something else; move it away or name another file")

// open opens the file and repairs its end. After an error, the file is not open, or dirty.
func (l *recordFile) open() error {
	f, err := l.disk.open(l.path)
	if err != nil {
		return err
	}
	l.f, l.dirty = f, false
	if err := l.mend(); err != nil {
		if !l.dirty {
			l.close()
		}
		return fmt.Errorf("%s: %w", l.path, err)
	}
	return nil
}

// mend repairs the end of the file, so that it has whole records only.
func (l *recordFile) mend() error {
	st, err := l.f.state()
	if err != nil {
		return err
	}
	l.size = st.size
	report := func() {}
	switch {
	case st.size == 0:
	case l.framing != frame.Length:
		report, err = l.mendLines()
	case st != l.whole:
		report, err = l.mendFrames()
	}
	if err != nil {
		return err
	}
	// Also if there was nothing to repair: an earlier process may have written or truncated the
	// file without syncing it.
	if err := l.f.Sync(); err != nil {
		return err
	}
	if st, err = l.f.state(); err != nil {
		return err
	}
	l.size, l.dirty = st.size, false
	report()
	return nil
}

// mendLines ends an unfinished last line. The file is dirty from then until it is synced. report
// logs what was done.
func (l *recordFile) mendLines() (report func(), err error) {
	report = func() {}
	framed, err := holdsFrames(l.f, l.size)
	if err != nil {
		return report, err
	}
	var last [1]byte
	if _, err := l.f.ReadAt(last[:], l.size-1); err != nil {
		return report, fmt.Errorf("read the last byte: %w", err)
	}
	ended := last[0] == '\n'
	switch {
	case framed && ended && l.framing == frame.Line:
		// The sender of messages can make them such that their lines read as frames. That
		// must not keep the sink from opening.
		l.log.Warn("sink file reads as lines and as frames of ?frame=length; it is continued as lines", "path", l.path)
		return report, nil
	case framed:
		return report, fmt.Errorf("holds frames of ?frame=length: %w", errFraming)
	case ended:
		return report, nil
	}
	l.dirty = true
	if _, err := l.f.Write([]byte{'\n'}); err != nil {
		return report, fmt.Errorf("end an unfinished last line: %w", err)
	}
	end := l.size
	return func() {
		l.log.Warn("sink file had an unfinished last line; it was ended with LF and may be incomplete", "path", l.path, "offset", end)
	}, nil
}

// mendFrames moves an unfinished last frame to a file of its own. The file is dirty from then until
// it is synced. report logs what was done.
func (l *recordFile) mendFrames() (report func(), err error) {
	report = func() {}
	end, err := l.walk()
	if err != nil || end == l.size {
		return report, err
	}
	bytes := l.size - end
	name, err := l.disk.setAside(l.path+".unfinished", l.f, end, l.size)
	if err != nil {
		return report, fmt.Errorf("set an unfinished last frame aside: %w", err)
	}
	l.size, l.dirty = end, true
	if err := l.f.Truncate(end); err != nil {
		return report, fmt.Errorf("cut off an unfinished last frame, which %s has: %w", name, err)
	}
	return func() {
		l.log.Warn("sink file had an unfinished last frame; it was moved to a file of its own", "path", l.path, "moved_to", name, "bytes", bytes)
	}, nil
}

// walk returns the offset after the last whole frame. If the bytes after it cannot be the beginning
// of a frame, it returns an error: in a file with another framing, all bytes would be "unfinished".
func (l *recordFile) walk() (end int64, err error) {
	if l.size > worker.MaxMessage {
		l.log.Info("looking through the frames of the sink's file", "path", l.path, "bytes", l.size)
	}
	w := frameWalk{r: l.f, size: l.size}
	var filled int64 // offset after the last frame that is not empty
	for {
		more, err := w.next()
		if err != nil {
			return 0, fmt.Errorf("look for the last frame: %w", err)
		}
		if !more {
			break
		}
		if w.message > 0 {
			filled = w.end
		}
	}
	if w.foreign() {
		return 0, fmt.Errorf("there is no frame at byte %d: %w", w.end, errFraming)
	}
	// They stay in the file, because empty messages may have been acknowledged.
	if w.end-filled > manyNULs {
		l.log.Warn("sink file ends in NUL bytes, which read as empty messages; a crash of the machine can leave such an end",
			"path", l.path, "offset", filled, "bytes", w.end-filled)
	}
	return w.end, nil
}

// frameWalk finds one frame of frame.Length after the other, reading little more than their
// headers.
//
// Invariant: buf has the bytes of r from offset at.
type frameWalk struct {
	r    io.ReaderAt
	size int64

	end     int64 // offset after the last whole frame
	header  []byte
	message uint32 // length of the last message

	buf []byte
	at  int64
}

// next finds the next frame. It returns false if no whole one follows; header then has the bytes of
// its header that exist.
func (w *frameWalk) next() (bool, error) {
	if err := w.read(); err != nil {
		return false, err
	}
	if len(w.header) < frame.HeaderSize {
		return false, nil
	}
	n := binary.BigEndian.Uint32(w.header)
	if int64(n) > w.size-w.end-frame.HeaderSize {
		return false, nil
	}
	w.message = n
	w.end += frame.HeaderSize + int64(n)
	return true, nil
}

// read reads the header at end, or the bytes of it that exist.
func (w *frameWalk) read() error {
	n := min(frame.HeaderSize, w.size-w.end)
	if w.end < w.at || w.end+n > w.at+int64(len(w.buf)) {
		want := min(walkBuffer, w.size-w.end)
		w.buf = slices.Grow(w.buf[:0], int(want))[:want]
		w.at = w.end
		if _, err := w.r.ReadAt(w.buf, w.at); err != nil {
			return err
		}
	}
	from := w.end - w.at
	w.header = w.buf[from : from+n]
	return nil
}

// foreign reports whether the bytes after the last whole frame cannot be the beginning of one:
// their length field is text, which as a length is 150 MB or more, or it is above any message's
// length.
func (w *frameWalk) foreign() bool {
	if len(w.header) == 0 {
		return false
	}
	if len(w.header) == frame.HeaderSize && binary.BigEndian.Uint32(w.header) > worker.MaxMessage {
		return true
	}
	for _, c := range w.header {
		if (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c > '~' {
			return false
		}
	}
	return true
}

// holdsFrames reports whether a file consists of frames of frame.Length up to its last byte, not
// all of them empty. In a file of other records, it stops at the first impossible length, which is
// the first one if the file begins with text.
func holdsFrames(r io.ReaderAt, size int64) (bool, error) {
	w := frameWalk{r: r, size: size}
	filled := false
	for {
		more, err := w.next()
		if err != nil {
			return false, fmt.Errorf("look for frames: %w", err)
		}
		if !more {
			return filled && w.end == size, nil
		}
		filled = filled || w.message > 0
	}
}
