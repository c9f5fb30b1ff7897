package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"
)

const (
	// statePeriod is how often a changed state is written. Users are promised that the file is at
	// most 1 s old.
	statePeriod = 500 * time.Millisecond
	// hangAfter is how long a disk operation may take before it is reported.
	hangAfter = 2 * time.Second
)

// stateWaiter waits until version, or a later one, is written.
type stateWaiter struct {
	version uint64
	done    func(error)
}

// begin stores a new session of an upstream and writes it at once. If the process died before the next
// periodic write, the session's name would be lost, and nobody could resume it. done is called at most
// once, on any goroutine: with nil once the file contains the session, or with an error if a write
// failed, which will be retried. It is not called while the disk hangs, nor if the upstream begins
// another session first.
func (s *State) begin(name string, e stateEntry, done func(error)) {
	s.mu.Lock()
	s.put(name, e)
	s.waiters[name] = stateWaiter{s.version, done}
	s.mu.Unlock()
	s.wake()
}

// start starts the writing goroutine.
func (s *State) start() {
	wake := make(chan struct{}, 1)
	s.wake = func() {
		select {
		case wake <- struct{}{}:
		default: // a wake-up is pending
		}
	}
	go s.run(wake)
}

// run writes on every wake-up, and every statePeriod.
func (s *State) run(wake <-chan struct{}) {
	defer close(s.done)
	tick := time.NewTicker(statePeriod)
	defer tick.Stop()
	failing := false
	for {
		var err error
		select {
		case <-s.stop:
			return
		case <-wake:
			s.useDisk(func() { err = s.write() })
		case <-tick.C:
			s.useDisk(func() { s.rewriteIfRemoved(); err = s.write() })
		}
		if (err != nil) != failing {
			failing = err != nil
			if failing {
				s.log.Error("cannot write the state; will keep trying", "path", s.path, "error", err)
			} else {
				s.log.Info("state is written again", "path", s.path)
			}
		}
	}
}

// useDisk runs a disk operation and reports it if it hangs.
func (s *State) useDisk(do func()) {
	began := time.Now()
	s.mu.Lock()
	s.busySince = began
	s.mu.Unlock()
	slow := time.AfterFunc(hangAfter, func() { s.reportHang(began) })
	do()
	slow.Stop()
	s.mu.Lock()
	hung := s.hung
	s.busySince, s.hung = time.Time{}, false
	s.mu.Unlock()
	if hung {
		s.log.Info("the disk of --state responds again", "path", s.path, "after", time.Since(began).Round(time.Millisecond))
	}
}

// reportHang reports that the disk operation that began at began is still running, if it is.
func (s *State) reportHang(began time.Time) {
	s.mu.Lock()
	hung := s.busySince.Equal(began)
	s.hung = s.hung || hung
	s.mu.Unlock()
	if hung {
		s.log.Warn("the disk of --state hangs; messages of new sessions wait for it", "path", s.path, "for", hangAfter)
	}
}

// Ready returns an error if the disk hangs.
func (s *State) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hung {
		return nil
	}
	return fmt.Errorf("--state: the disk of %s has hung for %v", s.path, time.Since(s.busySince).Round(time.Second))
}

// Unwritten returns an error if the file may be out of date. It is for a process that exits without
// Close.
func (s *State) Unwritten() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := time.Since(s.busySince)
	switch {
	case !s.busySince.IsZero() && used > statePeriod:
		return fmt.Errorf("--state: %s may be behind: its disk has not responded for %v", s.path, used.Round(time.Millisecond))
	case s.written != s.version:
		return fmt.Errorf("--state: %s may be behind", s.path)
	}
	return nil
}

// rewriteIfRemoved makes the next write replace the file if it was removed.
func (s *State) rewriteIfRemoved() {
	if _, err := os.Stat(s.path); err != nil {
		s.mu.Lock()
		s.version++
		s.mu.Unlock()
	}
}

// write replaces the file if the state has changed since the last write.
func (s *State) write() error {
	entries, version := s.snapshot()
	if entries == nil {
		s.writeEnded(version, nil)
		return nil
	}
	b, err := encodeState(entries)
	if err == nil {
		err = s.replace(b)
	}
	s.writeEnded(version, err)
	return err
}

// snapshot returns a copy of the entries and their version. The copy is nil if the file is up to date.
func (s *State) snapshot() (map[string]stateEntry, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written == s.version {
		return nil, s.version
	}
	return maps.Clone(s.entries), s.version
}

func encodeState(entries map[string]stateEntry) ([]byte, error) {
	b, err := json.MarshalIndent(stateFile{1, entries}, "", "  ")
	return append(b, '\n'), err
}

// writeEnded records the outcome of writing a version and passes it to those who wait for that version
// or an earlier one.
func (s *State) writeEnded(version uint64, err error) {
	s.mu.Lock()
	if err == nil {
		s.written = version
	}
	var done []func(error)
	for name, w := range s.waiters {
		if w.version <= version {
			done = append(done, w.done)
			delete(s.waiters, name)
		}
	}
	s.mu.Unlock()
	for _, f := range done {
		f(err)
	}
}

// Close writes the state a last time and releases the lock. It blocks while the disk hangs.
func (s *State) Close() error {
	close(s.stop)
	<-s.done
	var err error
	s.useDisk(func() {
		s.rewriteIfRemoved()
		err = errors.Join(s.write(), s.lock.Close())
	})
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return nil
}
