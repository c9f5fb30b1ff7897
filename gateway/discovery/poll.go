package discovery

import (
	"context"
	"math/rand/v2"
	"time"

	"feedgate/worker/backoff"
)

const (
	// jitter is the part of the interval by which two polls may be closer to each other.
	jitter = 0.3
	// pollTick is how often the members are looked at between two polls.
	pollTick = time.Second
)

// poll asks, at once and then again and again, and passes on what was found,
// until ctx is cancelled.
func (g *Group) poll(ctx context.Context, found chan<- []string) {
	retry := backoff.New(g.set.model.ReconnectMin, g.set.model.ReconnectMax)
	var servers []string // as last found
	for ctx.Err() == nil {
		err := g.finder.Poll(ctx, func(all []string) {
			servers = all
			select {
			case found <- all:
			case <-ctx.Done():
			}
		})
		g.rest(ctx, retry, func() bool { return err == nil && g.settled(servers) }) // Poll logs its faults
	}
}

// rest waits until the next poll is due: an interval, or sooner, by the backoff, once the
// group is not settled.
func (g *Group) rest(ctx context.Context, retry *backoff.Backoff, settled func() bool) {
	left := time.Duration(float64(g.cfg.Interval) * (1 - jitter*rand.Float64()))
	for left > 0 {
		wait := min(left, pollTick)
		if settled() {
			retry.Reset()
			left -= wait
		} else {
			wait = min(left, retry.NextBackOff())
			left = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
