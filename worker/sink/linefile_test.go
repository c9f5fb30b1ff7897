package sink

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var errFault = errors.New("input/output error")

// modelDisk is a disk with a page cache, a page being one byte, and one file. It
// behaves as Linux does at its least helpful: a failed fsync may have written any
// of the dirty bytes, and counts all of them as clean.
type modelDisk struct {
	t       *rapid.T
	cache   []byte // what a reader sees
	clean   []bool // of cache: not to be written by the next fsync
	durable []byte // what is left after a crash
	faults  bool
	moved   bool // the path names no file, or another
	old     [][]byte
}

func (d *modelDisk) fails(what string) bool {
	return d.faults && rapid.IntRange(0, 3).Draw(d.t, what) == 0
}

func (d *modelDisk) open(string) (file, error) {
	if d.fails("open fails") {
		return nil, errFault
	}
	if d.moved {
		d.old = append(d.old, d.durable)
		d.cache, d.clean, d.durable, d.moved = nil, nil, nil, false
	}
	return &modelFile{d: d}, nil
}

func (d *modelDisk) names(string, file) bool { return !d.moved }

// crash loses the page cache; some of what was dirty has reached the disk.
func (d *modelDisk) crash() {
	d.writeBack()
	d.cache = bytes.Clone(d.durable)
	d.clean = make([]bool, len(d.cache))
	for i := range d.clean {
		d.clean[i] = true
	}
}

// writeBack writes some dirty bytes, and the size if any of them is beyond it.
func (d *modelDisk) writeBack() {
	n := rapid.IntRange(0, len(d.cache)).Draw(d.t, "bytes that reached the disk")
	if n < len(d.durable) && len(d.cache) < len(d.durable) && rapid.Bool().Draw(d.t, "truncation reached the disk") {
		d.durable = d.durable[:len(d.cache)]
	}
	for i := range n {
		d.persist(i)
	}
}

func (d *modelDisk) persist(i int) {
	for len(d.durable) <= i {
		d.durable = append(d.durable, 0)
	}
	if !d.clean[i] {
		d.durable[i] = d.cache[i]
	}
}

type modelFile struct {
	d      *modelDisk
	closed bool
}

func (f *modelFile) use() *modelDisk {
	if f.closed {
		f.d.t.Fatal("a closed file is used")
	}
	return f.d
}

func (f *modelFile) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(f.use().cache).ReadAt(p, off)
}

func (f *modelFile) size() (int64, error) { return int64(len(f.use().cache)), nil }

func (f *modelFile) Write(p []byte) (int, error) {
	d := f.use()
	var err error
	if d.fails("write fails") {
		p, err = p[:rapid.IntRange(0, len(p)).Draw(d.t, "written")], errFault
		if rapid.Bool().Draw(d.t, "short without an error") && len(p) > 0 {
			p, err = p[:len(p)-1], nil
		}
	}
	d.cache = append(d.cache, p...)
	d.clean = append(d.clean, make([]bool, len(p))...)
	return len(p), err
}

func (f *modelFile) Truncate(size int64) error {
	d := f.use()
	if d.fails("truncate fails") {
		return errFault
	}
	if size > int64(len(d.cache)) {
		d.t.Fatal("a truncation would lengthen the file")
	}
	d.cache, d.clean = d.cache[:size], d.clean[:size]
	return nil
}

func (f *modelFile) Sync() error {
	d := f.use()
	failed := d.fails("fsync fails")
	if failed {
		d.writeBack()
	} else {
		d.durable = d.durable[:min(len(d.durable), len(d.cache))]
		for i := range d.cache {
			d.persist(i)
		}
	}
	for i := range d.clean {
		d.clean[i] = true
	}
	if failed {
		return errFault
	}
	return nil
}

func (f *modelFile) Close() error {
	f.use()
	f.closed = true
	return nil
}

// What append has called durable is still there, once and in order, after any
// faults, rotations and crashes, and nothing else but whole lines of data that
// was being written at a crash.
func TestLineFileLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &modelDisk{t: t}
		l := &lineFile{path: "f", disk: d, log: slog.New(slog.DiscardHandler)}
		var want []string // lines called durable
		maybe := map[string]bool{}
		next := 0
		reboot := func() {
			d.faults = false
			d.crash()
			l = &lineFile{path: "f", disk: d, log: l.log}
			if err := l.open(); err != nil {
				t.Fatal(err)
			}
			d.faults = true
		}
		reboot()
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				reboot()
			case 1:
				d.moved = l.f != nil && !l.cut
			default:
				var data []byte
				var lines []string
				for range rapid.IntRange(1, 3).Draw(t, "lines") {
					line := strings.Repeat(string(rune('a'+next%26)), 1+next%5) + string(rune('0'+next/26%10)) + "\n"
					next++
					lines = append(lines, line)
					data = append(data, line...)
				}
				for _, line := range lines {
					maybe[line] = true
				}
				for try := 0; try < 6; try++ {
					if l.append(data) == nil {
						want = append(want, lines...)
						break
					}
				}
			}
		}
		reboot()
		checkLines(t, append(d.old, d.durable), want, maybe)
	})
}

func checkLines(t *rapid.T, files [][]byte, want []string, maybe map[string]bool) {
	var got []string
	for _, content := range files {
		for line := range strings.Lines(string(content)) {
			if !maybe[line] {
				t.Fatalf("%q was never written; files %q", line, files)
			}
			got = append(got, line)
		}
	}
	i := 0
	for _, line := range got {
		if i < len(want) && line == want[i] {
			i++
		}
	}
	if i < len(want) {
		t.Fatalf("durable lines %q, but %q is left", want, got)
	}
}

func TestEndOfLines(t *testing.T) {
	const chunk = 64 << 10
	long := strings.Repeat("x", 3*chunk)
	for _, c := range []struct {
		content string
		want    int64
	}{
		{"", 0},
		{"x", 0},
		{"\n", 1},
		{"a\nb\n", 4},
		{"a\nbcd", 2},
		{long, 0},
		{"a\n" + long, 2},
		{long + "\n" + long[:chunk], 3*chunk + 1},
		{long + "\n" + long[:chunk-1], 3*chunk + 1},
		{long[:chunk-1] + "\n" + long[:chunk], chunk},
		{long + "\n", 3*chunk + 1},
	} {
		got, err := endOfLines(strings.NewReader(c.content), int64(len(c.content)))
		if err != nil || got != c.want {
			t.Errorf("%d bytes: %d, %v; want %d", len(c.content), got, err, c.want)
		}
	}
	if _, err := endOfLines(brokenReader{}, 5); !errors.Is(err, errFault) {
		t.Errorf("read error is lost: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) ReadAt([]byte, int64) (int, error) { return 0, errFault }

var _ io.ReaderAt = brokenReader{}
