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

// Ledger is how often each number stands in a sink's file, one a line, or in several that
// were that file one after another. Messages count from 1.
type Ledger struct {
	Path  string
	Lines uint64
	Once  uint64 // numbers that are there at least once

	t      testing.TB
	digits int    // of a line; 0: any
	offset int64  // behind the last whole line that was read
	tail   []byte // what was behind it: an unfinished line
	seen   []uint8
}

// NewLedger is of the file path, which need not be there yet, and whose lines have so many
// digits; 0 is any number.
func NewLedger(t testing.TB, path string, digits int) *Ledger {
	return &Ledger{t: t, Path: path, digits: digits}
}

// Flag is that of a file sink which the ledger is to read.
func (l *Ledger) Flag() string { return "--sink=file:" + l.Path }

// Read takes the whole lines that were added. An unfinished last line is left: it is not
// durable. After a kill, the next to open the file ends it with LF; where a line has
// so many digits, one with fewer that was seen unfinished before is passed over.
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
		l.Once++
	}
	l.seen[n] = min(l.seen[n]+1, 255)
}

// Times is how often number n was read, at most 255.
func (l *Ledger) Times(n uint64) int {
	if n >= uint64(len(l.seen)) {
		return 0
	}
	return int(l.seen[n])
}

// Again is how many lines are there beyond the first of their number.
func (l *Ledger) Again() uint64 { return l.Lines - l.Once }

// Rename goes on with another file, from its beginning.
func (l *Ledger) Rename(path string) { l.Path, l.offset, l.tail = path, 0, nil }

// Lacking returns how many of the numbers were not read, and the first of those.
func (l *Ledger) Lacking(numbers iter.Seq[uint64]) (count, first uint64) {
	for n := range numbers {
		if l.Times(n) > 0 {
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

// Whole checks that the numbers 1 to last are there, and no other. It returns how many
// are lost.
func (l *Ledger) Whole(last uint64) (lost uint64) {
	l.t.Helper()
	lost, first := l.Missing(last)
	if lost > 0 {
		l.t.Errorf("LOST: %d of %d messages are not in the file, %d is the first", lost, last, first)
	}
	if l.Once+lost != last {
		l.t.Errorf("%d messages were sent, and the file holds %d and lacks %d", last, l.Once, lost)
	}
	return lost
}
