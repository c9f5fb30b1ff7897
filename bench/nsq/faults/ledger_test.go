package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// digits is how long a numbered message is, unless a test says otherwise.
const digits = 12

// numbered is message n, of size bytes: its number, with zeros in front.
func numbered(n uint64, size int) []byte { return fmt.Appendf(nil, "%0*d", size, n) }

// ledger is how often each number stands in a sink's file. The test's goroutine owns it.
type ledger struct {
	t      *testing.T
	path   string
	offset int64 // behind the last whole line that was read
	seen   []uint8
	lines  uint64
	once   uint64 // numbers that are there at least once
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, path: filepath.Join(t.TempDir(), "out")}
}

func (l *ledger) flag() string { return "--sink=file:" + l.path }

// read takes the whole lines that were added. An unfinished last line is left: it is not
// durable, and the next to open the file cuts it off.
func (l *ledger) read() {
	l.t.Helper()
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) && l.lines == 0 {
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
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	l.offset += int64(len(b))
	for line := range bytes.Lines(b) {
		l.note(line[:len(line)-1])
	}
}

func (l *ledger) note(line []byte) {
	n, err := strconv.ParseUint(string(line), 10, 64)
	if err != nil || n == 0 {
		l.t.Fatalf("%s holds %q", l.path, line)
	}
	for uint64(len(l.seen)) <= n {
		l.seen = append(l.seen, 0)
	}
	l.lines++
	if l.seen[n] == 0 {
		l.once++
	}
	l.seen[n] = min(l.seen[n]+1, 255)
}

func (l *ledger) times(n uint64) int {
	if n >= uint64(len(l.seen)) {
		return 0
	}
	return int(l.seen[n])
}

// missing reads on, and counts those of the numbers 1 to last that are not there.
func (l *ledger) missing(last uint64) (lost, first uint64) {
	l.t.Helper()
	l.read()
	for n := uint64(1); n <= last; n++ {
		if l.times(n) > 0 {
			continue
		}
		if lost == 0 {
			first = n
		}
		lost++
	}
	return lost, first
}

// whole checks that the numbers 1 to last are there, and no other.
func (l *ledger) whole(last uint64) {
	l.t.Helper()
	if lost, first := l.missing(last); lost > 0 {
		l.t.Errorf("LOST: %d of %d messages are not in the file, %d is the first", lost, last, first)
	} else if l.once != last {
		l.t.Errorf("%d messages were published, and the file holds %d", last, l.once)
	}
}
