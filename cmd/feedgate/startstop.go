package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"feedgate/gateway"
	"feedgate/worker/sink"
)

// startSinks starts the sinks that have something to start, such as a child per worker. So a command
// that fails or a server that refuses ends the process before any upstream is connected. A
// discovery group counts as one gateway: the number of its servers is not known yet.
func (u *upstreams) startSinks(ctx context.Context) error {
	workers := 0
	for _, gw := range u.gateways {
		workers += gw.Workers()
	}
	for _, g := range u.groups {
		workers += g.Workers()
	}
	for _, s := range []*sink.Sink{u.sink, u.deadLetters} {
		if s == nil || s.Start == nil {
			continue
		}
		if err := s.Start(ctx, workers); err != nil {
			return err
		}
	}
	return nil
}

// stopGrace is the time from hurry until supervise returns, whatever has not ended. Gateways abandon
// workers that hang after 400 ms, then sinks wait up to sink.Config.CloseTimeout for a write that
// hangs. With the last lines of the log, the process ends within a second.
const stopGrace = 600 * time.Millisecond

// hurried returns a channel that is closed when the time for an orderly end is over: when abort is
// closed (the second signal), or a time of drain after ctx ends (the first). release releases its
// resources.
func hurried(ctx context.Context, abort <-chan struct{}, drain time.Duration) (hurry <-chan struct{}, release func()) {
	due, done := make(chan struct{}), make(chan struct{})
	go func() {
		stopping := ctx.Done()
		var limit <-chan time.Time
		for {
			select {
			case <-stopping:
				stopping, limit = nil, time.After(drain)
				continue
			case <-limit:
			case <-abort:
			case <-done:
				return
			}
			close(due)
			return
		}
	}()
	return due, func() { close(done) }
}

// supervise waits until all upstreams have ended and returns their error. From u.hurry on it waits
// for stopGrace only, then it returns unfinished's error.
func (u *upstreams) supervise(ctx context.Context, abort <-chan struct{}, ended <-chan error) error {
	done, hurry := ctx.Done(), u.hurry
	var late <-chan time.Time
	for {
		select {
		case err := <-ended:
			return err
		case <-done:
			done = nil
			u.log.Info("stopping; a second signal ends the process at once")
		case <-abort:
			abort, done = nil, nil
			u.log.Warn("stopping at once")
			for _, gw := range u.gateways {
				gw.Abort()
			}
			for _, g := range u.groups {
				g.Abort()
			}
		case <-hurry:
			hurry = nil
			u.watchdog.hurry()
			late = time.After(stopGrace)
		case <-late:
			return u.unfinished()
		}
	}
}

// unfinished returns the error of a stop that did not finish in time: what has not ended, and the
// errors of what has.
func (u *upstreams) unfinished() error {
	faults := []error{u.ending.err()}
	for _, gw := range u.running() {
		faults = append(faults, fmt.Errorf("%s: %w: %d in flight; a handler, a sink or a disk did not return in time",
			gw.Label(), gateway.ErrUnfinished, gw.Stats().InFlight.Load()))
	}
	faults = append(faults, u.ending.unclosed())
	if u.state != nil {
		faults = append(faults, u.state.Unwritten())
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return errors.New("did not end in time")
}

// running are the gateways that have not ended.
func (u *upstreams) running() []*gateway.Gateway {
	var all []*gateway.Gateway
	for i, gw := range u.gateways {
		if u.ending.runs(i) {
			all = append(all, gw)
		}
	}
	for _, g := range u.groups {
		all = append(all, g.Unended()...)
	}
	return all
}
