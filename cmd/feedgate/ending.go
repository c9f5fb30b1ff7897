package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ending is how far the end of the upstreams has come. Any goroutine may call its methods.
type ending struct {
	mu      sync.Mutex
	running []bool  // by upstream
	faults  []error // of those that have ended
	closing string  // the flag of what is being closed; empty: nothing yet
}

// init is called before any other method: all of the upstreams run.
func (e *ending) init(upstreams int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running, e.faults = slices.Repeat([]bool{true}, upstreams), make([]error, upstreams)
}

// ended records that an upstream has ended.
func (e *ending) ended(upstream int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running[upstream], e.faults[upstream] = false, err
}

// runs reports whether an upstream has not ended yet.
func (e *ending) runs(upstream int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running[upstream]
}

// fault joins the faults of all upstreams that have ended.
func (e *ending) fault() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.faults...)
}

// close records that what a flag stands for is being closed.
func (e *ending) close(flag string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closing = flag
}

// late is nil, or in words what is being closed and has not returned in time.
func (e *ending) late() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing == "" {
		return nil
	}
	return fmt.Errorf("%s: not closed in time", e.closing)
}
