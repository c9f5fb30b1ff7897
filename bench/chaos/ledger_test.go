package chaos

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"testing"

	"feedgate/bench/feed"
)

// ledger is how often each number stands in a sink's file, or in several that were
// that file one after another. The test's goroutine owns it.
type ledger struct {
	t      *testing.T
	path   string
	offset int64 // behind the last whole line that was read
	seen   []uint8
	lines  uint64
	once   uint64 // numbers that are there at least once
}

// read takes the whole lines that were added. An unfinished last line is left: it
// is not durable, and the next to open the file cuts it off.
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
	if size, err := f.Seek(0, io.SeekEnd); err != nil || size < l.offset {
		l.t.Fatalf("%s shrank to %d bytes, and its lines went up to %d: %v", l.path, size, l.offset, err)
	}
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	l.offset += int64(len(b))
	for line := range bytes.Lines(b) {
		l.note(line[:len(line)-1])
	}
}

func (l *ledger) note(line []byte) {
	n, err := strconv.ParseUint(string(line), 10, 64)
	if err != nil || len(line) != digits || n == 0 {
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

// again is how many lines are there beyond the first of their number.
func (l *ledger) again() uint64 { return l.lines - l.once }

// rename goes on with another file, from its beginning.
func (l *ledger) rename(path string) { l.path, l.offset = path, 0 }

// settle holds the file against what the feed knows of the session: every message
// that was sent is there and acked, no other is, and acks came once a connection. It
// returns how many are lost.
func (l *ledger) settle(c feed.Counts) (lost uint64) {
	l.t.Helper()
	l.read()
	for n := uint64(1); n <= c.Sent; n++ {
		if l.times(n) == 0 {
			if lost == 0 {
				l.t.Errorf("LOST: message %d of %d is not in the file, the first of those", n, c.Sent)
			}
			lost++
		}
	}
	if l.once+lost != c.Sent {
		l.t.Errorf("%d messages were sent, and the file holds %d and lacks %d", c.Sent, l.once, lost)
	}
	if c.Missing+c.Unsent+c.Refused+c.Duplicate+c.Unknown+c.Early+c.ProtocolErrors != 0 {
		l.t.Errorf("the feed has %d acks missing, %d messages unsent, %d refused, %d acks doubled, %d unknown, %d early, %d protocol errors",
			c.Missing, c.Unsent, c.Refused, c.Duplicate, c.Unknown, c.Early, c.ProtocolErrors)
	}
	return lost
}
