package gateway

import (
	"testing"
	"time"
)

// TestPathWatch: what a live peer's TCP may look like is no dead path, however long it goes on,
// and a dead one is found by the limit after the first look at it.
func TestPathWatch(t *testing.T) {
	const limit, ms = 10 * time.Second, time.Millisecond
	// probes of a closed window, sent once in a period and answered after a round trip
	probes := func(period, trip time.Duration) func(time.Duration) pathState {
		return func(now time.Duration) pathState {
			since := now % period
			if since < trip {
				return pathState{true, true, since + period - trip}
			}
			return pathState{true, false, since - trip}
		}
	}
	for name, c := range map[string]struct {
		path func(now time.Duration) pathState
		dead bool // from its first second on
	}{
		"nothing sent":         {func(time.Duration) pathState { return pathState{false, true, time.Hour} }, false},
		"in flight":            {func(time.Duration) pathState { return pathState{true, false, 0} }, false},
		"first probes":         {probes(200*ms, 20*ms), false},
		"long round trip":      {probes(900*ms, 899*ms), false},
		"one always out":       {probes(900*ms, 900*ms), false},
		"probes once a minute": {probes(time.Minute, 20*ms), false},
		"probes every 120 s":   {probes(120*time.Second, 700*ms), false},
		"answers take 9 s":     {probes(time.Minute, 9*time.Second), false},
		"no answer":            {func(now time.Duration) pathState { return pathState{true, now >= time.Second, now} }, true},
		"no answer, was silent": {func(now time.Duration) pathState {
			return pathState{true, now >= time.Second, now + time.Minute}
		}, true},
		"acks are lost, data comes": {func(now time.Duration) pathState { return pathState{true, true, now % (3 * time.Second)} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPathWatch(limit)
			now, looks := time.Duration(1), 0
			for now < time.Hour {
				w.sent(now) // something always is, again and again
				if now = w.next; !w.dead(c.path(now), now) {
					looks++
					continue
				}
				if found := now - time.Second; !c.dead || found < limit || found > limit+pathPoll {
					t.Errorf("given up after %v", now)
				}
				return
			}
			if c.dead {
				t.Error("not given up within an hour")
			}
			if most := int(time.Hour / pathPoll); looks > most {
				t.Errorf("%d looks, want at most %d", looks, most)
			}
		})
	}
}

// TestPathWatchSleeps: with nothing unacknowledged there is nothing to look at, nor with
// --idle-timeout 0.
func TestPathWatchSleeps(t *testing.T) {
	w := newPathWatch(NoTimeout)
	if w.sent(1); w.next != 0 {
		t.Errorf("a look at %v, though off", w.next)
	}
	w = newPathWatch(time.Second)
	w.sent(1)
	if due := w.next; due == 0 || w.dead(pathState{}, due) || w.next != 0 {
		t.Errorf("a look at %v, then at %v", due, w.next)
	}
}
