// Package backoff draws the waits between the tries of whatever reconnects: gateways,
// polls of a discovery service, sinks.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Backoff draws each wait at random between Min and a bound that doubles up to Max. The
// first bound is twice Min, so that clients that lost the same server at the same moment
// do not come back at the same moment. One goroutine uses it.
//
// It is a BackOff of github.com/cenkalti/backoff, whose own types draw from 0 on.
type Backoff struct {
	min, max time.Duration
	bound    time.Duration // of the last wait; 0: there was none

	// Draw returns a number from 0 up to, not including, n. A test may replace it.
	Draw func(n int64) int64
}

// New makes a Backoff. Its waits are never shorter than a nanosecond, whatever least is,
// nor longer than the greater of the two.
func New(least, most time.Duration) *Backoff {
	least = max(least, 1)
	return &Backoff{min: least, max: max(most, least), Draw: rand.Int64N}
}

// NextBackOff returns the next wait.
func (b *Backoff) NextBackOff() time.Duration {
	if b.bound == 0 {
		b.bound = b.min
	}
	if b.bound > b.max/2 {
		b.bound = b.max
	} else {
		b.bound *= 2
	}
	return b.min + time.Duration(b.Draw(int64(b.bound-b.min)+1))
}

// Reset starts over with the first bound.
func (b *Backoff) Reset() { b.bound = 0 }
