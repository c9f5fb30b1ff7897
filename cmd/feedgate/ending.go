package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ending records which upstreams have ended, and what is being closed after them. Any goroutine
// may call its methods.
type ending struct {
	mu      sync.Mutex
	running []bool  // by upstream
	errs    []error // by upstream; nil: it runs, or ended without an error
	closing string  // flag of the sink, state or server that is being closed; empty: none yet
}

// init marks all upstreams as running. It must be called before any other method.
func (e *ending) init(upstreams int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running, e.errs = slices.Repeat([]bool{true}, upstreams), make([]error, upstreams)
}

// ended records that an upstream has ended.
func (e *ending) ended(upstream int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running[upstream], e.errs[upstream] = false, err
}

// runs reports whether an upstream has not ended.
func (e *ending) runs(upstream int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running[upstream]
}

// err joins the errors of all upstreams that have ended.
func (e *ending) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.errs...)
}

// startClosing records that the sink, state or server of a flag is being closed.
func (e *ending) startClosing(flag string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closing = flag
}

// unclosed returns an error that names the flag of what is being closed; nil: nothing is.
func (e *ending) unclosed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing == "" {
		return nil
	}
	return fmt.Errorf("%s: did not close in time", e.closing)
}
