package e2e

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// rotator renames a file, reads it to its end and removes it, again and again.
type rotator struct {
	path  string
	stop  atomic.Bool
	ended chan struct{}

	rounds atomic.Int32
	seen   map[string]bool // lines; all once ended
	err    error
}

func startRotator(path string) *rotator {
	r := &rotator{path: path, ended: make(chan struct{}), seen: map[string]bool{}}
	go func() {
		defer close(r.ended)
		for r.err == nil && !r.stop.Load() {
			r.err = r.rotate()
		}
	}()
	return r
}

// rotate is one round, with no pause between its steps.
func (r *rotator) rotate() error {
	away := r.path + ".1"
	switch err := os.Rename(r.path, away); {
	case errors.Is(err, os.ErrNotExist):
		time.Sleep(50 * time.Microsecond)
		return nil
	case err != nil:
		return err
	}
	r.rounds.Add(1)
	return errors.Join(r.read(away), os.Remove(away))
}

// read takes the whole lines of a file.
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

// end waits for the round under way, and reads what is left.
func (r *rotator) end(t *testing.T) {
	t.Helper()
	r.stop.Store(true)
	<-r.ended
	if err := errors.Join(r.err, r.read(r.path)); err != nil {
		t.Fatal(err)
	}
}

// TestRotationLosesNothing: a file is renamed, read and immediately removed while
// messages arrive. Each acknowledged one is in what was read, or in the file.
func TestRotationLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	p, _, c := connectFG(t, "{}", "--workers=1", "--in-flight=64", "--sink=file:"+path)
	r := startRotator(path)
	const rounds = 3000
	// The server keeps a window of messages on their way, and counts acks.
	acks := make(chan uint64, 1024)
	go func() {
		defer close(acks)
		in := bufio.NewReader(io.Reader(c.tcp))
		for {
			f, err := readFrame(in)
			if err != nil {
				return
			}
			if f.op == opAck && f.code == 0 {
				acks <- f.seq
			}
		}
	}()
	var acked []uint64
	deadline := time.Now().Add(3 * patience)
	sent := uint64(0)
	for time.Now().Before(deadline) && r.rounds.Load() < rounds {
		for sent < uint64(len(acked))+16 {
			sent++
			c.send(data(sent, "message "+strconv.FormatUint(sent, 10)))
		}
		seq, ok := <-acks
		if !ok {
			t.Fatal("the gateway has closed the connection")
		}
		acked = append(acked, seq)
	}
	r.end(t)
	p.signal(os.Interrupt)
	for seq := range acks {
		acked = append(acked, seq)
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
	if lost > 0 || r.rounds.Load() < 50 {
		t.Errorf("%d of %d acknowledged messages are in no file, after %d rotations", lost, len(acked), r.rounds.Load())
	}
	t.Logf("%d messages, %d rotations", len(acked), r.rounds.Load())
}
