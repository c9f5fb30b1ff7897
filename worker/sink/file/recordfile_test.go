package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"feedgate/worker"
	"feedgate/worker/sink/frame"
)

// world is a recordFile on a modelDisk, with the records that must be durable.
type world struct {
	t       *rapid.T
	d       *modelDisk
	l       *recordFile
	framing frame.Framing

	durable []string        // records reported durable, in order
	written map[string]bool // records that may be in a file
	left    map[string]bool // what crashes have left, and lines ended by mending
	next    int
}

// TestRecordFileLosesNothing: records that append has reported as durable are still there, at least
// once and in order, after any faults, crashes and rotations: a rotation has read them, or they are
// in the file. Other than that, there are only remains of records that were being written at a
// crash. Opening the file deletes nothing.
func TestRecordFileLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			t: t, d: &modelDisk{t: t}, framing: rapid.SampledFrom([]frame.Framing{frame.Line, frame.Length}).Draw(t, "framing"),
			written: map[string]bool{}, left: map[string]bool{},
		}
		w.reboot()
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0:
				w.reboot()
			case 1:
				w.reopen()
			default:
				w.append()
			}
		}
		w.d.rotates = false
		w.reboot()
		w.check()
	})
}

// reboot crashes, and opens the file without further faults. Bytes that are no record any more must
// still be somewhere.
func (w *world) reboot() {
	w.d.faults, w.d.rotates = false, false
	w.d.crash()
	w.l = &recordFile{path: "f", framing: w.framing, disk: w.d, log: slog.New(slog.DiscardHandler)}
	var before []byte
	if w.d.now != nil {
		before = bytes.Clone(w.d.now.cache)
		if w.d.now.safe > len(before) {
			w.t.Fatalf("durable up to %d, and %d bytes are left", w.d.now.safe, len(before))
		}
		w.remember(before[w.d.now.safe:])
	}
	w.d.aside = nil
	err := w.l.open()
	if errors.Is(err, errFraming) {
		// If a file system loses bytes in the middle, an operator has to look.
		w.d.rotated = append(w.d.rotated, before)
		w.d.now = nil
		err = w.l.open()
		before = nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	after := append(bytes.Clone(w.d.now.cache), w.d.aside...)
	if !bytes.Equal(after, before) && !bytes.Equal(after, append(before, '\n')) {
		w.t.Fatalf("the file held %q, and now %q", before, after)
	}
	w.d.now.safe = len(w.d.now.cache)
	w.d.faults, w.d.rotates = true, true
}

// remember records what a crash has left.
func (w *world) remember(rest []byte) {
	for _, r := range records(rest, w.framing) {
		w.left[r] = true
	}
	if w.framing == frame.Line {
		w.left[string(rest[bytes.LastIndexByte(rest, '\n')+1:])+"\n"] = true
	}
}

func (w *world) reopen() {
	// An error changes nothing.
	_ = w.l.reopen()
}

func (w *world) append() {
	var data []byte
	var group []string
	for range rapid.IntRange(1, 3).Draw(w.t, "records") {
		text := strings.Repeat(string(rune('a'+w.next%26)), 1+w.next%5) + string(rune('0'+w.next/26%10))
		w.next++
		r := string(w.framing.Append(nil, worker.Message{Data: []byte(text)}))
		group = append(group, r)
		w.written[r] = true
		data = append(data, r...)
	}
	// If the file is truncated during a write that fails, an incomplete record remains, which
	// looks like a bug.
	w.d.empties = rapid.Bool().Draw(w.t, "the rotation empties")
	w.d.faults = !w.d.empties
	defer func() { w.d.empties, w.d.faults = false, true }()
	for range 6 {
		if w.l.append(data) == nil {
			w.durable = append(w.durable, group...)
			if f := w.l.f.(*modelFile); f.i == w.d.now {
				f.i.safe = len(f.i.cache)
			}
			return
		}
	}
}

func (w *world) check() {
	var got []string
	for _, content := range append(slices.Clone(w.d.rotated), w.d.now.durable) {
		for _, r := range records(content, w.framing) {
			if !w.written[r] && !w.left[r] {
				w.t.Fatalf("%q was never written; the rotations read %q, the file is %q", r, w.d.rotated, w.d.now.durable)
			}
			got = append(got, r)
		}
	}
	i := 0
	for _, r := range got {
		if i < len(w.durable) && r == w.durable[i] {
			i++
		}
	}
	if i < len(w.durable) {
		w.t.Fatalf("durable were %q, and left is %q", w.durable, got)
	}
}

// records returns the whole records at the beginning of content.
func records(content []byte, f frame.Framing) (all []string) {
	for len(content) > 0 {
		n := bytes.IndexByte(content, '\n') + 1
		if f == frame.Length {
			n = 0
			if len(content) >= frame.HeaderSize {
				n = frame.HeaderSize + int(binary.BigEndian.Uint32(content))
			}
		}
		if n == 0 || n > len(content) {
			return all
		}
		all = append(all, string(content[:n]))
		content = content[n:]
	}
	return all
}
