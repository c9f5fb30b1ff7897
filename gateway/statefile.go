package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"feedgate/worker/durable"
)

// statePeriod is how often a changed state is written. Users are promised that it
// is at most 1 s old.
const statePeriod = 500 * time.Millisecond

// maxState bounds the file, in bytes, before it is read.
const maxState = 16 << 20

// State is the --state file: for each upstream the session and the last contiguous
// acknowledged sequence number, so that a restarted gateway resumes. Several
// gateways share one. What the file says is never ahead of the truth: a number is
// set only once its ack, and those of all before it, were taken by the kernel.
//
// OpenState starts a goroutine that writes; Close writes a last time and ends it.
type State struct {
	path    string
	replace func(contents []byte) error // the file's, atomically
	log     *slog.Logger
	stop    chan struct{}
	done    chan struct{}
	writing sync.Mutex // one writes at a time

	mu      sync.Mutex
	entries map[string]stateEntry // by upstream URL
	changed bool
}

type stateEntry struct {
	Session string `json:"session"`
	Seq     uint64 `json:"seq"`
}

type stateFile struct {
	Version   int                   `json:"version"`
	Upstreams map[string]stateEntry `json:"upstreams"`
}

// OpenState reads the file at path, if there is one, and makes sure that it can
// be written. One of no bytes, as mktemp makes them, says nothing: a replaced file is never
// empty.
func OpenState(path string, log *slog.Logger) (*State, error) {
	s := &State{
		path: path, log: log, stop: make(chan struct{}), done: make(chan struct{}),
		replace: func(contents []byte) error { return durable.Replace(path, contents, 0o600) },
		entries: make(map[string]stateEntry), changed: true,
	}
	b, err := readState(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("--state: %w", err)
	case len(b) == 0:
	default:
		var f stateFile
		if err := json.Unmarshal(b, &f); err != nil || f.Version != 1 {
			return nil, fmt.Errorf("--state: %s is not a state file of this version; move it away to start without one", path)
		}
		for url, e := range f.Upstreams {
			s.entries[url] = e
		}
	}
	if err := s.write(); err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	go s.run()
	return s, nil
}

// readState reads the file, if it is one: to open a pipe would wait for its other end.
func readState(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() > maxState {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxState)
	}
	return os.ReadFile(path)
}

// get is what is known of an upstream; zero when nothing is.
func (s *State) get(url string) stateEntry {
	if s == nil {
		return stateEntry{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[url]
}

// set notes how far an upstream has come.
func (s *State) set(url string, e stateEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[url] != e {
		s.entries[url], s.changed = e, true
	}
}

// begin notes a new session of an upstream's and writes it at once: a process that
// dies before the next write must not take the session's name with it, for nobody
// could ask for its messages again. A failure is logged, and the next write is another
// try.
func (s *State) begin(url string, e stateEntry) {
	s.set(url, e)
	if err := s.write(); err != nil {
		s.log.Error("cannot write the new session; will go on trying", "upstream", Label(url), "path", s.path, "session", e.Session, "error", err)
	}
}

func (s *State) run() {
	defer close(s.done)
	tick := time.NewTicker(statePeriod)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		s.restore()
		err := s.write()
		if (err != nil) != failing {
			failing = err != nil
			if failing {
				s.log.Error("cannot write the state; will go on trying", "path", s.path, "error", err)
			} else {
				s.log.Info("state is written again", "path", s.path)
			}
		}
	}
}

// restore sees to it that a file which was removed is written again.
func (s *State) restore() {
	if _, err := os.Stat(s.path); err != nil {
		s.mu.Lock()
		s.changed = true
		s.mu.Unlock()
	}
}

// write replaces the file if anything has changed since it was written.
func (s *State) write() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	if !s.changed {
		s.mu.Unlock()
		return nil
	}
	b, err := json.MarshalIndent(stateFile{1, s.entries}, "", "  ")
	s.changed = false
	s.mu.Unlock()
	if err == nil {
		err = s.replace(append(b, '\n'))
	}
	if err != nil {
		s.mu.Lock()
		s.changed = true
		s.mu.Unlock()
	}
	return err
}

// Close writes the state a last time.
func (s *State) Close() error {
	close(s.stop)
	<-s.done
	s.restore()
	if err := s.write(); err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return nil
}
