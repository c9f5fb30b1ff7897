package main

import (
	"context"
	"time"

	"feedgate/worker/sink"
)

// startSink starts what the sink runs for each worker, if anything, so that a
// command that cannot work ends the process before any connection is made. A fleet
// counts as one gateway: how many nsqds it will find is not known yet.
func (u *upstreams) startSink(ctx context.Context) error {
	starter, ok := u.sink.(sink.Starter)
	if !ok {
		return nil
	}
	workers := 0
	for _, gw := range u.gateways {
		workers += gw.Workers()
	}
	for _, f := range u.fleets {
		workers += f.Workers()
	}
	return starter.Start(ctx, workers)
}

// hurried returns a channel that is closed when everything must end at once: at the
// second signal, or when the first, which ends ctx, is drain ago. The caller calls
// over when it no longer needs it.
func hurried(ctx context.Context, abort <-chan struct{}, drain time.Duration) (hurry <-chan struct{}, over func()) {
	due, done := make(chan struct{}), make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-done:
			return
		}
		limit := time.NewTimer(drain)
		defer limit.Stop()
		select {
		case <-limit.C:
		case <-abort:
		case <-done:
			return
		}
		close(due)
	}()
	return due, func() { close(done) }
}
