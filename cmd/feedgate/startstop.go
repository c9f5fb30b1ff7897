package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"feedgate/gateway"
	"feedgate/worker/sink"
)

// startSinks starts what the sinks run for each worker, if anything, so that a command that
// cannot work, or a server that says no, ends the process before any connection is made. A
// group counts as one gateway: how many servers it will find is not known yet.
func (u *upstreams) startSinks(ctx context.Context) error {
	workers := 0
	for _, gw := range u.gateways {
		workers += gw.Workers()
	}
	for _, f := range u.groups {
		workers += f.Workers()
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

// stopGrace is how long everything has to end once there is no more time: gateways take
// 400 ms to leave their workers behind, then sinks up to sink.Config.CloseTimeout for a
// write that hangs. What has not ended by then is left behind. With the last lines of the
// log, the process is gone within a second.
const stopGrace = 600 * time.Millisecond

// hurried returns a channel that is closed when there is no more time to end in order:
// when abort is closed, at the second signal, or drain after the first, which ends ctx.
// The caller calls over when it no longer needs it.
func hurried(ctx context.Context, abort <-chan struct{}, drain time.Duration) (hurry <-chan struct{}, over func()) {
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

// supervise returns the error of all upstreams once they have ended, or that of left,
// stopGrace after u.hurry.
func (u *upstreams) supervise(ctx context.Context, abort <-chan struct{}, ended <-chan error) error {
	done, hurry := ctx.Done(), u.hurry
	var late <-chan time.Time
	for {
		select {
		case err := <-ended:
			return err
		case <-done:
			done = nil
			u.log.Info("stopping; a second signal ends it at once")
		case <-abort:
			abort, done = nil, nil
			u.log.Warn("stopping at once")
			for _, gw := range u.gateways {
				gw.Abort()
			}
			for _, f := range u.groups {
				f.Abort()
			}
		case <-hurry:
			hurry = nil
			u.watchdog.hurry()
			late = time.After(stopGrace)
		case <-late:
			return u.left()
		}
	}
}

// left is the error of a stop that something has held up: what has not ended, and the faults
// of what has.
func (u *upstreams) left() error {
	faults := []error{u.ending.fault()}
	for _, gw := range u.unended() {
		faults = append(faults, fmt.Errorf("%s: %w: %d in flight; a handler, a sink or a disk did not return in time",
			gw.Label(), gateway.ErrUnfinished, gw.Stats().InFlight.Load()))
	}
	faults = append(faults, u.ending.late())
	if u.state != nil {
		faults = append(faults, u.state.Unwritten())
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return errors.New("not ended in time")
}

// unended are the gateways that have not ended.
func (u *upstreams) unended() []*gateway.Gateway {
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
