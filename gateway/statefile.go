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

// maxState bounds the file, in bytes, before it is read.
const maxState = 16 << 20

// State is the --state file: for each upstream the session and the last contiguous
// acknowledged sequence number, so that a restarted gateway resumes. Several
// gateways of one process share one; no other process can open it meanwhile. What the file
// says is never ahead of the truth: a number is set only once its ack, and those of all
// before it, were taken by the kernel.
//
// OpenState starts a goroutine that writes; Close writes a last time and ends it. No other
// method waits for the disk.
type State struct {
	path    string
	lock    *os.File
	replace func(contents []byte) error // the file's, atomically
	wake    func()                      // has the file written soon; returns at once
	log     *slog.Logger
	stop    chan struct{}
	done    chan struct{}

	mu        sync.Mutex             // not held while the disk is in use
	entries   map[string]stateEntry  // by the text of a stateName
	version   uint64                 // of entries: each change makes another
	written   uint64                 // the version that is in the file
	waiters   map[string]stateWaiter // by the same name: one, for the newest session
	busySince time.Time              // since when the disk is in use; zero: it is not
	hung      bool                   // for longer than slowDisk
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
	s.start()
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
		version: 1, waiters: make(map[string]stateWaiter),
	}
	if s.entries, err = readState(path); err != nil {
		return nil, err
	}
	s.useDisk(func() { err = s.write() })
	return s, err
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
		hosts := parseStateName(text).commonHosts(n)
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
		s.put(to, e)
	}
	return e
}

// set notes how far the upstream of a stateName has come.
func (s *State) set(name string, e stateEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(name, e)
}

// put changes an entry. The caller has mu.
func (s *State) put(name string, e stateEntry) {
	if s.entries[name] != e {
		s.entries[name] = e
		s.version++
	}
}
