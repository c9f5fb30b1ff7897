package page

import (
	"context"
	"math"
	"sync"
	"time"

	"feedgate/gateway/admin/view"
)

const (
	// samplePeriod is the age at which a sample is too old for a request, which then takes another.
	samplePeriod = 500 * time.Millisecond
	// firstPeriod is between the two samples of a request that finds no recent one.
	firstPeriod = 300 * time.Millisecond
)

// sampler takes the samples for the page, at most two per second however many people look at it. It has no
// goroutine: while nobody looks, it costs nothing.
type sampler struct {
	stats func() map[string]any

	mu      sync.Mutex
	history view.History
	last    sample
}

// sample is a view and how the page shows it.
type sample struct {
	view *view.View
	live []byte
}

// sample returns what happens now. If nobody has looked recently, that takes firstPeriod.
func (s *sampler) sample(ctx context.Context) (sample, error) {
	for {
		now := s.newest()
		if !math.IsNaN(float64(now.view.Over)) {
			return now, nil
		}
		select {
		case <-time.After(firstPeriod):
		case <-ctx.Done():
			return sample{}, ctx.Err()
		}
	}
}

// newest returns the last sample, or another one if that is too old.
func (s *sampler) newest() sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	period := samplePeriod
	if s.last.view != nil && math.IsNaN(float64(s.last.view.Over)) {
		period = firstPeriod
	}
	if now := time.Now(); s.last.view == nil || now.Sub(s.last.view.At) >= period {
		s.history.Add(view.FromStats(s.stats(), now))
		v := s.history.View()
		s.last = sample{v, render("live.html", v)}
	}
	return s.last
}
