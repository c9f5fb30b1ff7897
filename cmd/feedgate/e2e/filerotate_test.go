package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// rotator renames a file, reads it to its end and removes it, over and over.
type rotator struct {
	path  string
	stop  atomic.Bool
	ended chan struct{}

	rounds atomic.Int32
	acked  atomic.Int64    // acks that the test has received
	seen   map[string]bool // lines read; the goroutine's until ended is closed
	err    error           // likewise
}

func startRotator(path string) *rotator {
	r := &rotator{path: path, ended: make(chan struct{}), seen: map[string]bool{}}
	go func() {
		defer close(r.ended)
		r.err = r.run()
	}()
	return r
}

// maxAhead is how many rotations in a row need no ack between them: fewer than the 8 after
// which the sink pauses. Without a limit the rotator could starve a sink on a slow disk.
const maxAhead = 4

func (r *rotator) run() error {
	ahead, acked := 0, int64(0)
	for !r.stop.Load() {
		if now := r.acked.Load(); now != acked {
			ahead, acked = 0, now
		}
		rotated := false
		if ahead < maxAhead {
			var err error
			if rotated, err = r.rotate(); err != nil {
				return err
			}
		}
		if !rotated {
			time.Sleep(50 * time.Microsecond)
			continue
		}
		ahead++
		r.rounds.Add(1)
	}
	return nil
}

// rotate reports whether the file existed. It does not pause between its steps.
func (r *rotator) rotate() (bool, error) {
	away := r.path + ".1"
	err := os.Rename(r.path, away)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, errors.Join(r.read(away), os.Remove(away))
}

// read adds the complete lines of a file to seen.
func (r *rotator) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if line, whole := strings.CutSuffix(line, "\n"); whole {
			r.seen[line] = true
		}
	}
	return nil
}

// end stops rotating.
func (r *rotator) end(t *testing.T) {
	t.Helper()
	r.stop.Store(true)
	<-r.ended
	if r.err != nil {
		t.Fatal(r.err)
	}
}

// TestRotationLosesNothing: a file is renamed, read and removed at once, while messages
// arrive. Each acked one was in a file that was read, or is in the last one.
func TestRotationLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	p, _, c := connectFG(t, "{}", "--workers=1", "--in-flight=64", "--sink=file:"+path)
	r := startRotator(path)
	// A slow machine does fewer rounds: each needs several fsyncs.
	const fewest, most = 50, 3000
	begun := time.Now()
	enough := func() bool {
		n := r.rounds.Load()
		return n >= most || n >= fewest && time.Since(begun) > 10*time.Second
	}
	var acked []uint64
	for sent := uint64(0); !enough(); {
		for sent < uint64(len(acked))+16 {
			sent++
			c.send(data(sent, "message "+strconv.FormatUint(sent, 10)))
		}
		acked = append(acked, ackedSeq(t, c.next()))
		r.acked.Store(int64(len(acked)))
	}
	r.end(t)
	p.signal(os.Interrupt)
	before, _ := c.untilBye()
	for _, f := range before {
		acked = append(acked, ackedSeq(t, f))
	}
	c.close()
	p.exit(0)

	if err := r.read(path); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, seq := range acked {
		if !r.seen["message "+strconv.FormatUint(seq, 10)] {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acked messages are in no file, after %d rotations", lost, len(acked), r.rounds.Load())
	}
	t.Logf("%d messages, %d rotations", len(acked), r.rounds.Load())
}

// ackedSeq checks that a frame is an ACK with code 0.
func ackedSeq(t *testing.T, f frame) uint64 {
	t.Helper()
	if f.op != opAck || f.code != 0 {
		t.Fatalf("got %v, want an ACK with code 0", f)
	}
	return f.seq
}
