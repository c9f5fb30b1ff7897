// Package backoff draws random waits between the attempts of gateways, sinks and polls of a
// discovery service.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Backoff draws each wait at random between a minimum and a bound that doubles up to a maximum. The
// first bound is twice the minimum, so that clients that lost the same server at the same time do
// not reconnect at the same time. One goroutine at a time may use it.
//
// It implements BackOff of github.com/cenkalti/backoff, whose own types have no minimum.
type Backoff struct {
	min, max time.Duration
	bound    time.Duration // of the last wait; 0: none yet

	// Draw returns a random number from 0 to n-1. Tests may replace it.
	Draw func(n int64) int64
}

// New returns a Backoff with waits between least and most, and at least a nanosecond. If least is
// greater, all waits are least.
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

// Reset makes the next wait the first one.
func (b *Backoff) Reset() { b.bound = 0 }
