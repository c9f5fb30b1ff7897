package ring_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/ring"
)

// sleeper is one consumer of several rings that blocks on a channel when nothing is pending.
type sleeper struct {
	events ring.EventCount
	rings  []*ring.SPSC[int]
	wake   chan struct{} // sent to by a producer for which Ring returned true
	other  chan struct{} // some other reason to wake up, such as a socket

	sleeps int // that only a ring ended; the consumer's
	wakes  atomic.Int64
}

func (s *sleeper) produce(id, items int, ringFirst bool) {
	rnd, wait := rand.New(rand.NewPCG(uint64(id), 5)), newStopwatch()
	r := s.rings[id]
	for next := 0; next < items; {
		slots := r.Reserve(min(1+rnd.IntN(40), items-next))
		if len(slots) == 0 {
			wait.pause("reserve")
			continue
		}
		for i := range slots {
			slots[i] = next + i
		}
		next += len(slots)
		r.Commit(len(slots))
		if !ringFirst {
			r.Publish()
		}
		wake := s.events.Add(len(slots))
		if ringFirst {
			r.Publish()
		}
		if wake {
			s.wakes.Add(1)
			select {
			case s.wake <- struct{}{}:
			default: // one is on its way already, as with an eventfd
			}
		}
		// Mostly let the consumer fall asleep before the next batch.
		for n := rnd.IntN(4); n > 0; n-- {
			wait.pause("")
		}
	}
}

// consume takes all entries of all rings, and sleeps when there are none.
func (s *sleeper) consume(t *testing.T, items int) {
	next, left, wait := make([]int, len(s.rings)), items*len(s.rings), newStopwatch()
	for left > 0 {
		taken := 0
		for i, r := range s.rings {
			for p := r.Peek(); len(p) > 0; p = r.Peek() {
				for _, v := range p {
					if v != next[i] {
						t.Fatalf("ring %d: entry %d, want %d", i, v, next[i])
					}
					next[i]++
				}
				taken += len(p)
				r.Take(len(p))
				r.Release()
			}
		}
		left -= taken
		s.events.Sub(taken)
		if left == 0 {
			break
		}
		if taken > 0 || !s.events.Sleep() {
			wait.pause("a ring that follows what was taken")
			continue
		}
		s.block(t, next)
	}
}

func (s *sleeper) block(t *testing.T, next []int) {
	timeout := time.NewTimer(deadline)
	defer timeout.Stop()
	select {
	case <-s.wake:
		s.sleeps++
		s.events.Wake()
	case <-s.other:
		s.events.Wake()
		// A wake-up that crossed this one ends a later sleep early.
	case <-timeout.C:
		t.Fatalf("lost wake-up: %d pending, took %v", s.events.Pending(), next)
	}
}

func TestEventCountStressNoLostWakeup(t *testing.T) {
	for _, producers := range []int{1, 2, 5} {
		for _, ringFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("producers=%d/ring-first=%v", producers, ringFirst), func(t *testing.T) {
				s := newSleeper(producers)
				const items = 300_000
				for id := range producers {
					go s.produce(id, items, ringFirst)
				}
				s.consume(t, items)
				// Nothing but a ring ends a sleep here, so each takes exactly one.
				if got := s.wakes.Load(); got != int64(s.sleeps) {
					t.Errorf("%d wake-ups for %d sleeps", got, s.sleeps)
				}
				if s.sleeps == 0 {
					t.Error("the consumer never slept")
				}
				t.Logf("%d sleeps", s.sleeps)
			})
		}
	}
}

func TestEventCountStressOtherReasonsToWake(t *testing.T) {
	s := newSleeper(3)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case s.other <- struct{}{}:
			case <-stop:
				return
			}
		}
	}()
	const items = 60_000
	for id := range 3 {
		go s.produce(id, items, false)
	}
	s.consume(t, items)
	close(stop)
	<-stopped
}

func newSleeper(producers int) *sleeper {
	s := &sleeper{wake: make(chan struct{}, 1), other: make(chan struct{})}
	for range producers {
		s.rings = append(s.rings, ring.NewSPSC[int](64))
	}
	return s
}

// Sleep and Wake must not disturb a count that producers add to meanwhile.
func TestEventCountStressCountIsExact(t *testing.T) {
	const producers, rings = 2, 300_000
	var events ring.EventCount
	for range producers {
		go func() {
			for range rings {
				events.Add(1)
			}
		}()
	}
	wait := newStopwatch()
	for answered := 0; answered < producers*rings; {
		if events.Sleep() {
			events.Wake()
		}
		events.Wake()
		n := events.Pending()
		events.Sub(n)
		if answered += n; n == 0 {
			wait.pause("rings")
		}
	}
	if n := events.Pending(); n != 0 {
		t.Errorf("%d pending beyond what was rung", n)
	}
}
