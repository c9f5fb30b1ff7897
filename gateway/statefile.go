package gateway

import (
	"context"
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

// maxState is the largest file that is read, in bytes.
const maxState = 16 << 20

// State is the --state file. It stores each upstream's session and last contiguous acknowledged
// sequence number, so that a restarted gateway can resume. The gateways of a process share it; other
// processes are locked out. The file is never ahead of the truth: a number is stored only once the
// kernel has accepted its ack and all earlier ones.
//
// OpenState starts a goroutine that writes the file. Close writes it a last time and ends the
// goroutine. No other method waits for the disk.
type State struct {
	path    string
	lock    *os.File
	replace func(contents []byte) error // replaces the file atomically
	wake    func()                      // makes the goroutine write soon; does not block
	log     *slog.Logger
	stop    chan struct{}
	done    chan struct{}

	mu        sync.Mutex             // never held during a disk operation
	entries   map[string]stateEntry  // by the text of a stateName
	version   uint64                 // of entries; each change increments it
	written   uint64                 // the version in the file
	waiters   map[string]stateWaiter // by the same name; only for the newest session
	busySince time.Time              // start of the disk operation in progress; zero: none
	hung      bool                   // it has taken longer than hangAfter
}

type stateEntry struct {
	Session string `json:"session"`
	Seq     uint64 `json:"seq"`
}

type stateFile struct {
	Version   int                   `json:"version"`
	Upstreams map[string]stateEntry `json:"upstreams"`
}

// OpenState locks the file at path, reads it if it exists, and makes sure that it can be written. An
// empty file, such as mktemp makes, counts as new. If another process has the file open, the error is
// [durable.ErrLocked].
func OpenState(path string, log *slog.Logger) (*State, error) {
	s, err := openState(path, log)
	if err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	s.start()
	return s, nil
}

func openState(path string, log *slog.Logger) (s *State, err error) {
	if err := checkState(path); err != nil { // first, so that no lock file is made next to another file
		return nil, err
	}
	lock, err := durable.Lock(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = lock.Close() // its error no longer matters
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

// checkState returns an error if the file at path exists and cannot be a state file.
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

// readState reads the file, if it exists. It calls checkState first because opening a pipe would block.
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

// Check returns an error if two of the upstreams would resume the same stored session, such as that of
// a URL with the hosts of both. The upstreams must be valid.
func (s *State) Check(upstreams []Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	finds := make(map[string]string)
	for i := range upstreams {
		name := upstreams[i].stateName()
		stored := s.find(name)
		if other, found := finds[stored]; found && stored != "" {
			return fmt.Errorf("--state: both %s and %s could resume the session of %s in %s; run one of them alone once to assign it",
				Label(other), Label(name.String()), Label(stored), s.path)
		}
		finds[stored] = name.String()
	}
	return nil
}

// find returns the stored name that shares the most hosts with n. Among equals, it prefers n itself,
// then the first in order. Empty: none shares a host.
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

// claim returns the stored entry of an upstream; zero if there is none. If it was stored under another
// list of hosts, it is moved to n.
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

// set updates the entry of the upstream with the text of a stateName.
func (s *State) set(name string, e stateEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(name, e)
}

// put updates an entry. The caller holds mu.
func (s *State) put(name string, e stateEntry) {
	if s.entries[name] != e {
		s.entries[name] = e
		s.version++
	}
}

// ProbeState finds out, without locking or changing anything, whether OpenState and Check will accept the
// file at path. A lock of another process does not matter. It returns soon after ctx ends.
func ProbeState(ctx context.Context, path string, upstreams []Config) error {
	var entries map[string]stateEntry
	err := durable.Within(ctx, path, func() (err error) {
		if entries, err = readState(path); err == nil {
			err = durable.CheckDir(path)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return (&State{path: path, entries: entries}).Check(upstreams)
}
