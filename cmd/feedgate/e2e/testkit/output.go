package testkit

import (
	"bytes"
	"regexp"
	"slices"
	"sync"
)

// Output collects what a process writes. Any goroutine may call its methods.
type Output struct {
	mu     sync.Mutex
	text   []byte
	lines  int
	bytes  int
	never  []string
	broken string // the first forbidden word, and its line; empty: none
}

// outputBytes is how much of the beginning, which has the admin address, and of the end is kept
// at least.
const outputBytes = 128 << 10

// Write implements [io.Writer].
func (d *Output) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text = append(d.text, p...)
	d.lines += bytes.Count(p, []byte("\n"))
	d.bytes += len(p)
	from := max(0, len(d.text)-len(p)-32)
	for _, word := range slices.Concat(d.never, []string{"panic:", "fatal error:", "WARNING: DATA RACE", "SIGXFSZ"}) {
		if at := bytes.Index(d.text[from:], []byte(word)); d.broken == "" && at >= 0 {
			d.broken = word + ", in " + string(line(d.text, from+at))
		}
	}
	if len(d.text) > 4*outputBytes {
		d.text = append(d.text[:outputBytes], d.text[len(d.text)-outputBytes:]...)
	}
	return len(p), nil
}

// line returns the line of text around offset at, as far as it has been written.
func line(text []byte, at int) []byte {
	begin := bytes.LastIndexByte(text[:at], '\n') + 1
	whole, _, _ := bytes.Cut(text[begin:], []byte("\n"))
	return whole
}

// Forbid makes words faults from now on. "panic:" and the like always are.
func (d *Output) Forbid(words ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.never = append(d.never, words...)
}

// Has reports whether the word has been written.
func (d *Output) Has(word string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Contains(d.text, []byte(word))
}

// Lines returns how many lines have been written.
func (d *Output) Lines() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines
}

// Bytes returns how many bytes have been written.
func (d *Output) Bytes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes
}

// Tail returns the end of the output.
func (d *Output) Tail() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.text[max(0, len(d.text)-6000):])
}

func (d *Output) find(what *regexp.Regexp) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return what.FindSubmatch(bytes.Clone(d.text))
}

func (d *Output) crash() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken
}
