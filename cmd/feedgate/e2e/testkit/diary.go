package testkit

import (
	"bytes"
	"regexp"
	"slices"
	"sync"
)

// Diary is what a process writes. Any goroutine may read.
type Diary struct {
	mu     sync.Mutex
	text   []byte
	lines  int
	bytes  int
	never  []string
	broken string // the first word that is a fault, and its line; empty: none
}

// diaryBytes is how much is kept at least, of the beginning, which has the admin address,
// and of the end.
const diaryBytes = 128 << 10

// Write adds to the diary.
func (d *Diary) Write(p []byte) (int, error) {
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
	if len(d.text) > 4*diaryBytes {
		d.text = append(d.text[:diaryBytes], d.text[len(d.text)-diaryBytes:]...)
	}
	return len(p), nil
}

// line is the line of text that at is in, as far as it has been written.
func line(text []byte, at int) []byte {
	begin := bytes.LastIndexByte(text[:at], '\n') + 1
	whole, _, _ := bytes.Cut(text[begin:], []byte("\n"))
	return whole
}

// Never names words that are a fault from now on, as a panic always is.
func (d *Diary) Never(words ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.never = append(d.never, words...)
}

// Holds says that the word has been written.
func (d *Diary) Holds(word string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Contains(d.text, []byte(word))
}

// Lines is how many lines have been written.
func (d *Diary) Lines() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines
}

// Bytes is how many bytes have been written.
func (d *Diary) Bytes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes
}

// Tail is what was written last.
func (d *Diary) Tail() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.text[max(0, len(d.text)-6000):])
}

func (d *Diary) find(what *regexp.Regexp) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return what.FindSubmatch(bytes.Clone(d.text))
}

func (d *Diary) crash() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken
}
