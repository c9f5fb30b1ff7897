package testkit

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"testing"
)

// Ledger counts how often each number occurs in a sink's file, which has one number per line.
// After a rotation it continues with the next file. Messages are numbered from 1.
type Ledger struct {
	Path     string
	Lines    uint64
	Distinct uint64 // numbers that occur at least once

	t      testing.TB
	digits int    // of each line; 0: any number
	offset int64  // end of the last complete line that was read
	tail   []byte // the unfinished line after it
	seen   []uint8
}

// NewLedger reads the file at path, which need not exist yet. Each line has digits digits, or
// any number of them if digits is 0.
func NewLedger(t testing.TB, path string, digits int) *Ledger {
	return &Ledger{t: t, Path: path, digits: digits}
}

// Flag is the --sink flag for the ledger's file.
func (l *Ledger) Flag() string { return "--sink=file:" + l.Path }

// Read reads the complete lines that were added. It skips an unfinished last line, which is not
// durable. After a kill, the next process ends that line with LF; if the number of digits is
// known, such a short line is skipped as well.
func (l *Ledger) Read() {
	l.t.Helper()
	f, err := os.Open(l.Path)
	if errors.Is(err, fs.ErrNotExist) && l.Lines == 0 {
		return
	}
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, l.offset, 1<<62))
	if err != nil {
		l.t.Fatal(err)
	}
	if size, err := f.Seek(0, io.SeekEnd); err != nil || size < l.offset {
		l.t.Fatalf("%s shrank to %d bytes, and its lines went up to %d: %v", l.Path, size, l.offset, err)
	}
	end := bytes.LastIndexByte(b, '\n') + 1
	lines, rest := b[:end], b[end:]
	l.offset += int64(len(lines))
	for line := range bytes.Lines(lines) {
		line = line[:len(line)-1]
		if len(line) < l.digits && len(line) > 0 && bytes.Equal(line, l.tail) {
			l.tail = nil
			continue
		}
		l.note(line)
	}
	l.tail = bytes.Clone(rest)
}

func (l *Ledger) note(line []byte) {
	n, err := strconv.ParseUint(string(line), 10, 64)
	if err != nil || n == 0 || l.digits != 0 && len(line) != l.digits {
		l.t.Fatalf("%s holds %q", l.Path, line)
	}
	for uint64(len(l.seen)) <= n {
		l.seen = append(l.seen, 0)
	}
	l.Lines++
	if l.seen[n] == 0 {
		l.Distinct++
	}
	l.seen[n] = min(l.seen[n]+1, 255)
}

// Count returns how often number n was read, at most 255.
func (l *Ledger) Count(n uint64) int {
	if n >= uint64(len(l.seen)) {
		return 0
	}
	return int(l.seen[n])
}

// Duplicates returns how many lines repeat a number of an earlier line.
func (l *Ledger) Duplicates() uint64 { return l.Lines - l.Distinct }

// Follow continues with another file, from its beginning.
func (l *Ledger) Follow(path string) { l.Path, l.offset, l.tail = path, 0, nil }

// Lacking returns how many of the numbers were not read, and the first of those.
func (l *Ledger) Lacking(numbers iter.Seq[uint64]) (count, first uint64) {
	for n := range numbers {
		if l.Count(n) > 0 {
			continue
		}
		if count == 0 {
			first = n
		}
		count++
	}
	return count, first
}

// Missing reads on, and returns how many of the numbers 1 to last are not in the file, and the
// first of those.
func (l *Ledger) Missing(last uint64) (count, first uint64) {
	l.t.Helper()
	l.Read()
	return l.Lacking(func(yield func(uint64) bool) {
		for n := uint64(1); n <= last && yield(n); n++ {
		}
	})
}

// CheckComplete checks that the file has the numbers 1 to last and no other, and returns how
// many are lost.
func (l *Ledger) CheckComplete(last uint64) (lost uint64) {
	l.t.Helper()
	lost, first := l.Missing(last)
	if lost > 0 {
		l.t.Errorf("LOST: %d of %d messages are not in the file, %d is the first", lost, last, first)
	}
	if l.Distinct+lost != last {
		l.t.Errorf("%d messages were sent, and the file holds %d and lacks %d", last, l.Distinct, lost)
	}
	return lost
}
