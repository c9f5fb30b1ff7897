package gateway

import (
	"math/bits"
	"testing"
	"time"
)

// TestPathWatch: nothing that a live peer's TCP can do counts as a dead path, however long it
// lasts. A dead path is found within the limit after the first check.
func TestPathWatch(t *testing.T) {
	const limit, ms = 10 * time.Second, time.Millisecond
	// retransmitted once per period, and answered after a round trip
	live := func(period, trip time.Duration) func(time.Duration) pathState {
		return func(now time.Duration) pathState {
			sent := uint64(now/period) + 1
			if now%period < trip {
				return pathState{
					pending: true, resent: true, quiet: true, silence: now%period + period - trip,
					resends: sent, answers: sent,
				}
			}
			return pathState{pending: true, resent: true, silence: now%period - trip, resends: sent, answers: sent + 1}
		}
	}
	// retransmitted at doubling intervals, starting after a second, and never answered
	cut := func(in func(now time.Duration) bool) func(time.Duration) pathState {
		return func(now time.Duration) pathState {
			if now < time.Second {
				return pathState{pending: true}
			}
			s := pathState{pending: true, resent: true, quiet: !in(now), silence: now}
			if !s.quiet {
				s.silence = 0
			}
			s.resends = uint64(bits.Len64(uint64(now / time.Second)))
			return s
		}
	}
	always, never := func(time.Duration) bool { return true }, func(time.Duration) bool { return false }
	for name, c := range map[string]struct {
		path func(now time.Duration) pathState
		dead bool // after its first second
	}{
		"nothing sent":         {func(time.Duration) pathState { return pathState{resent: true, quiet: true} }, false},
		"in flight":            {func(time.Duration) pathState { return pathState{pending: true} }, false},
		"first probes":         {live(200*ms, 20*ms), false},
		"long round trip":      {live(900*ms, 899*ms), false},
		"one always out":       {live(900*ms, 900*ms), false},
		"probes once a minute": {live(time.Minute, 20*ms), false},
		"probes every 120 s":   {live(120*time.Second, 700*ms), false},
		"answers take 9 s":     {live(time.Minute, 9*time.Second), false},
		"acks are lost, new data comes": {func(now time.Duration) pathState {
			const every = 3 * time.Second
			return pathState{pending: true, resent: true, quiet: true, silence: now % every, answers: uint64(now / every)}
		}, false},
		"no answer": {cut(never), true},
		"the peer sends probes": {func(now time.Duration) pathState {
			s := cut(never)(now)
			s.answers = uint64(now / time.Second)
			return s
		}, true},
		"the peer sends again":           {cut(always), true},
		"the peer sends again, at times": {cut(func(now time.Duration) bool { return now/(300*ms)%2 == 0 }), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPathWatch(limit)
			now, looks := time.Duration(1), 0
			for now < time.Hour {
				w.sent(now) // something is sent all the time
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

// TestPathWatchSleeps: there are no checks while nothing is unacknowledged, or with --idle-timeout
// 0.
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
