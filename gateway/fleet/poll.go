package fleet

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// jitter is the part of the interval by which two polls may be closer to each other.
const jitter = 0.3

// poll asks the nsqlookupds, at once and then again and again, and passes on what they
// say, until ctx is cancelled. When none has answered it asks again sooner.
func (f *Fleet) poll(ctx context.Context, found chan<- []string) {
	retry := f.backoff()
	for {
		wait := time.Duration(float64(f.cfg.Interval) * (1 - jitter*rand.Float64()))
		nsqds, err := f.lookup.Poll(ctx) // it logs its faults
		if err != nil {
			wait = min(wait, retry.NextBackOff())
		} else {
			retry.Reset()
			select {
			case found <- nsqds:
			case <-ctx.Done():
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// backoff is that of the gateways: --reconnect-min to --reconnect-max, full jitter.
func (f *Fleet) backoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	// A factor of 1 draws from 0 to twice the interval.
	b.RandomizationFactor = 1
	b.Multiplier = 2
	b.InitialInterval = f.set.model.ReconnectMin / 2
	b.MaxInterval = f.set.model.ReconnectMax / 2
	return b
}
