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

// fileModel is a recordFile on a modelDisk, with the records that must be durable.
type fileModel struct {
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
		m := &fileModel{
			t: t, d: &modelDisk{t: t}, framing: rapid.SampledFrom([]frame.Framing{frame.Line, frame.Length}).Draw(t, "framing"),
			written: map[string]bool{}, left: map[string]bool{},
		}
		m.reboot()
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0:
				m.reboot()
			case 1:
				m.reopen()
			default:
				m.append()
			}
		}
		m.d.rotates = false
		m.reboot()
		m.check()
	})
}

// reboot crashes, and opens the file without further faults. Bytes that are no record any more must
// still be somewhere.
func (m *fileModel) reboot() {
	m.d.faults, m.d.rotates = false, false
	m.d.crash()
	m.l = &recordFile{path: "f", framing: m.framing, disk: m.d, log: slog.New(slog.DiscardHandler)}
	var before []byte
	if m.d.now != nil {
		before = bytes.Clone(m.d.now.cache)
		if m.d.now.safe > len(before) {
			m.t.Fatalf("durable up to %d, and %d bytes are left", m.d.now.safe, len(before))
		}
		m.remember(before[m.d.now.safe:])
	}
	m.d.aside = nil
	err := m.l.open()
	if errors.Is(err, errFraming) {
		// If a file system loses bytes in the middle, an operator has to look.
		m.d.rotated = append(m.d.rotated, before)
		m.d.now = nil
		err = m.l.open()
		before = nil
	}
	if err != nil {
		m.t.Fatal(err)
	}
	after := append(bytes.Clone(m.d.now.cache), m.d.aside...)
	if !bytes.Equal(after, before) && !bytes.Equal(after, append(before, '\n')) {
		m.t.Fatalf("the file held %q, and now %q", before, after)
	}
	m.d.now.safe = len(m.d.now.cache)
	m.d.faults, m.d.rotates = true, true
}

// remember records what a crash has left.
func (m *fileModel) remember(rest []byte) {
	for _, r := range records(rest, m.framing) {
		m.left[r] = true
	}
	if m.framing == frame.Line {
		m.left[string(rest[bytes.LastIndexByte(rest, '\n')+1:])+"\n"] = true
	}
}

func (m *fileModel) reopen() {
	// An error changes nothing.
	_ = m.l.reopen()
}

func (m *fileModel) append() {
	var data []byte
	var group []string
	for range rapid.IntRange(1, 3).Draw(m.t, "records") {
		text := strings.Repeat(string(rune('a'+m.next%26)), 1+m.next%5) + string(rune('0'+m.next/26%10))
		m.next++
		r := string(m.framing.Append(nil, worker.Message{Data: []byte(text)}))
		group = append(group, r)
		m.written[r] = true
		data = append(data, r...)
	}
	// If the file is truncated during a write that fails, an incomplete record remains, which
	// looks like a bug.
	m.d.empties = rapid.Bool().Draw(m.t, "the rotation empties")
	m.d.faults = !m.d.empties
	defer func() { m.d.empties, m.d.faults = false, true }()
	for range 6 {
		if m.l.append(data) == nil {
			m.durable = append(m.durable, group...)
			if f := m.l.f.(*modelFile); f.i == m.d.now {
				f.i.safe = len(f.i.cache)
			}
			return
		}
	}
}

func (m *fileModel) check() {
	var got []string
	for _, content := range append(slices.Clone(m.d.rotated), m.d.now.durable) {
		for _, r := range records(content, m.framing) {
			if !m.written[r] && !m.left[r] {
				m.t.Fatalf("%q was never written; the rotations read %q, the file is %q", r, m.d.rotated, m.d.now.durable)
			}
			got = append(got, r)
		}
	}
	i := 0
	for _, r := range got {
		if i < len(m.durable) && r == m.durable[i] {
			i++
		}
	}
	if i < len(m.durable) {
		m.t.Fatalf("durable were %q, and left is %q", m.durable, got)
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
