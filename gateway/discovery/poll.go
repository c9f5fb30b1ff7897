package discovery

import (
	"context"
	"math/rand/v2"
	"time"

	"feedgate/worker/backoff"
)

const (
	// jitter is the fraction of the interval by which polls may be closer together.
	jitter = 0.3
	// pollTick is how often the members are checked between two polls.
	pollTick = time.Second
)

// poll polls the directory, at once and then repeatedly, and sends what it finds, until ctx is
// cancelled.
func (g *Group) poll(ctx context.Context, found chan<- []string) {
	retry := backoff.New(g.settings.base.ReconnectMin, g.settings.base.ReconnectMax)
	var servers []string // last found
	for ctx.Err() == nil {
		err := g.discoverer.Poll(ctx, func(all []string) {
			servers = all
			select {
			case found <- all:
			case <-ctx.Done():
			}
		})
		g.wait(ctx, retry, func() bool { return err == nil && g.stable(servers) }) // Poll logs its faults
	}
}

// wait waits until the next poll is due: after the interval, or earlier, by the backoff, once
// stable returns false.
func (g *Group) wait(ctx context.Context, retry *backoff.Backoff, stable func() bool) {
	left := time.Duration(float64(g.cfg.Interval) * (1 - jitter*rand.Float64()))
	for left > 0 {
		wait := min(left, pollTick)
		if stable() {
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
