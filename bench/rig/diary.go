package rig

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
	broken string
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
	for _, word := range slices.Concat(d.never, []string{"panic:", "fatal error:", "WARNING: DATA RACE", "SIGXFSZ"}) {
		if d.broken == "" && bytes.Contains(d.text[max(0, len(d.text)-len(p)-32):], []byte(word)) {
			d.broken = word
		}
	}
	if len(d.text) > 4*diaryBytes {
		d.text = append(d.text[:diaryBytes], d.text[len(d.text)-diaryBytes:]...)
	}
	return len(p), nil
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
