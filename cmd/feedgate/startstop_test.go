package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestHurried: it is closed at the second signal, or when the drain has had its time, and
// by nothing else.
func TestHurried(t *testing.T) {
	const drain = 10 * time.Second
	for name, c := range map[string]struct {
		stop, abort bool
		after       time.Duration // from the stop on; 0: it is not closed
	}{
		"running":       {},
		"first signal":  {stop: true, after: drain},
		"second signal": {stop: true, abort: true, after: time.Second},
		"abort alone":   {abort: true, after: time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			abort := make(chan struct{})
			hurry, over := hurried(ctx, abort, drain)
			defer over()
			began := time.Now()
			if c.stop {
				cancel()
			}
			if c.abort {
				time.AfterFunc(time.Second, func() { close(abort) })
			}
			after := time.Duration(0)
			select {
			case <-hurry:
				after = time.Since(began)
			case <-time.After(time.Hour):
			}
			if after != c.after {
				t.Errorf("%s: closed after %v, want %v", name, after, c.after)
			}
		})
	}
}
