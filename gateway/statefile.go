package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
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
// gateways of one process share one; no other process can open it meanwhile. What the file
// says is never ahead of the truth: a number is set only once its ack, and those of all
// before it, were taken by the kernel.
//
// OpenState starts a goroutine that writes; Close writes a last time and ends it.
type State struct {
	path    string
	lock    *os.File
	replace func(contents []byte) error // the file's, atomically
	log     *slog.Logger
	stop    chan struct{}
	done    chan struct{}
	writing sync.Mutex // one writes at a time

	mu      sync.Mutex
	entries map[string]stateEntry // by the text of a stateName
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

// OpenState locks the file at path, reads it, if there is one, and makes sure that it can be
// written. One of no bytes, as mktemp makes them, says nothing: a replaced file is never
// empty. The error of a file that another process has open is [durable.ErrLocked].
func OpenState(path string, log *slog.Logger) (*State, error) {
	s, err := openState(path, log)
	if err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	go s.run()
	return s, nil
}

func openState(path string, log *slog.Logger) (s *State, err error) {
	if err := checkState(path); err != nil { // before a lock is made beside what is none
		return nil, err
	}
	lock, err := durable.Lock(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = lock.Close() // nothing was written
		}
	}()
	if err := durable.Sweep(path); err != nil {
		return nil, err
	}
	s = &State{
		path: path, lock: lock, log: log, stop: make(chan struct{}), done: make(chan struct{}),
		replace: func(contents []byte) error { return durable.Replace(path, contents, 0o600) },
		changed: true,
	}
	if s.entries, err = readState(path); err != nil {
		return nil, err
	}
	return s, s.write()
}

// checkState says why the file at path, if there is one, cannot be a state file.
func checkState(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxState:
		return fmt.Errorf("%s is longer than %d bytes", path, maxState)
	}
	return nil
}

// readState reads the file, if there is one, after checkState: to open a pipe would wait for
// its other end.
func readState(path string) (map[string]stateEntry, error) {
	entries := make(map[string]stateEntry)
	if err := checkState(path); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) == 0 {
		return entries, nil
	}
	if err != nil {
		return nil, err
	}
	var f stateFile
	if err := json.Unmarshal(b, &f); err != nil || f.Version != 1 {
		return nil, fmt.Errorf("%s is not a state file of this version; move it away to start without one", path)
	}
	maps.Copy(entries, f.Upstreams)
	return entries, nil
}

// Check says whether two of the upstreams, which are valid, would resume the same stored
// session, such as that of a URL with the hosts of both.
func (s *State) Check(upstreams []Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	finds := make(map[string]string)
	for i := range upstreams {
		name := upstreams[i].stateName()
		stored := s.find(name)
		if other, found := finds[stored]; found && stored != "" {
			return fmt.Errorf("--state: both %s and %s could resume the session of %s in %s; run one without the other once, and it is that one's",
				Label(other), Label(name.String()), Label(stored), s.path)
		}
		finds[stored] = name.String()
	}
	return nil
}

// find is the stored name with most hosts in common with n; of several, n itself or else the
// first; empty: there is none.
func (s *State) find(n stateName) (stored string) {
	most := 0
	for _, text := range slices.Sorted(maps.Keys(s.entries)) {
		hosts := parseStateName(text).common(n)
		if hosts > most || hosts > 0 && hosts == most && text == n.String() {
			stored, most = text, hosts
		}
	}
	return stored
}

// claim is what is known of an upstream; zero when nothing is. It is kept under n from now
// on, if it was stored with another list of hosts.
func (s *State) claim(n stateName) stateEntry {
	if s == nil {
		return stateEntry{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := s.find(n)
	if stored == "" {
		return stateEntry{}
	}
	e := s.entries[stored]
	if to := n.String(); stored != to {
		delete(s.entries, stored)
		s.entries[to], s.changed = e, true
	}
	return e
}

// set notes how far the upstream of a stateName has come.
func (s *State) set(name string, e stateEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[name] != e {
		s.entries[name], s.changed = e, true
	}
}

// begin notes a new session of an upstream's and writes it at once: a process that
// dies before the next write must not take the session's name with it, for nobody
// could ask for its messages again. A failure is logged, and the next write is another
// try.
func (s *State) begin(name string, e stateEntry) {
	s.set(name, e)
	if err := s.write(); err != nil {
		s.log.Error("cannot write the new session; will go on trying", "upstream", Label(name), "path", s.path, "session", e.Session, "error", err)
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

// Close writes the state a last time and gives back the lock.
func (s *State) Close() error {
	close(s.stop)
	<-s.done
	s.restore()
	if err := errors.Join(s.write(), s.lock.Close()); err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return nil
}
