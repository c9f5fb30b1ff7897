package nsqtest

import (
	"bytes"
	"sync"
)

// journal keeps the end of a process's log. The copying goroutine of package exec writes to it; any
// goroutine may read it.
type journal struct {
	mu        sync.Mutex
	kept      []byte
	listeners int           // not yet logged
	listening chan struct{} // closed when all are
}

const (
	// journalBytes is how much is kept at least.
	journalBytes = 16 << 10
	// listenLine is logged by both programs for each listener, once it accepts connections:
	// "TCP: listening on 127.0.0.1:4150".
	listenLine = "listening on"
)

func newJournal(listeners int) *journal {
	return &journal{listeners: listeners, listening: make(chan struct{})}
}

// Write implements [io.Writer]. Each call has complete lines, because the loggers write each line at
// once.
func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.listeners > 0 {
		if j.listeners -= bytes.Count(b, []byte(listenLine)); j.listeners <= 0 {
			close(j.listening)
		}
	}
	if len(j.kept)+len(b) > 2*journalBytes {
		n := copy(j.kept, j.kept[max(0, len(j.kept)-journalBytes):])
		j.kept = j.kept[:n]
	}
	j.kept = append(j.kept, b...)
	return len(b), nil
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return string(j.kept)
}
