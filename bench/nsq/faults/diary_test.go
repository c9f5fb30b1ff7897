package faults

import (
	"bytes"
	"regexp"
	"sync"
)

// diary is what a gateway writes. Any goroutine may read.
type diary struct {
	mu   sync.Mutex
	text []byte
}

// diaryBytes bounds what a diary keeps: the beginning, which has the admin address, and
// the end.
const diaryBytes = 256 << 10

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text = append(d.text, p...)
	if len(d.text) > 2*diaryBytes {
		d.text = append(d.text[:diaryBytes], d.text[len(d.text)-diaryBytes/2:]...)
	}
	return len(p), nil
}

func (d *diary) holds(word string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Contains(d.text, []byte(word))
}

func (d *diary) find(what *regexp.Regexp) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return what.FindSubmatch(bytes.Clone(d.text))
}

func (d *diary) crash() string {
	for _, word := range []string{"panic:", "fatal error:", "WARNING: DATA RACE"} {
		if d.holds(word) {
			return word
		}
	}
	return ""
}

func (d *diary) tail() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.text[max(0, len(d.text)-6000):])
}
