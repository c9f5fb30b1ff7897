package gateway

import (
	"strings"
	"testing"
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
)

// TestStallClockPausesWhileAcksAreUnread: it is no stall if the loop does not collect replies
// because the server does not read its acks.
func TestStallClockPausesWhileAcksAreUnread(t *testing.T) {
	l := &loop{cfg: &Config{StallAfter: time.Second}, track: delivery.New(delivery.Config{Mode: wire.AckEach, InFlight: 16})}
	l.out = l.track.SendBuffer()
	l.track.Connect(nil, 1)
	l.track.Add(1, 1, false)
	l.stall.since = time.Hour
	l.stall.watch(l, 2*time.Hour)
	if due := l.stall.due(l); due != time.Hour+time.Second {
		t.Errorf("a stall is due at %v, not a second after the last message", due)
	}
	l.out.Write(make([]byte, maxUnsent))
	if due := l.stall.due(l); due != 0 {
		t.Errorf("a stall is due at %v though acks are unread", due)
	}
	l.stall.watch(l, 3*time.Hour)
	l.out.Sent(maxUnsent)
	if due := l.stall.due(l); due != 3*time.Hour+time.Second {
		t.Errorf("a stall is due at %v, not a second after the acks were read", due)
	}
}

func TestWaitingWords(t *testing.T) {
	many := make([]int, 10)
	for i := range many {
		many[i] = i
	}
	for want, w := range map[string]backlog{
		"3 for A (deferred by worker 1)":                                                                         {sink: 3, deferred: []int{1}},
		"3 for A (in a call by worker 0; deferred by worker 1, 2), 2 in rings":                                   {sink: 3, calls: []int{0}, deferred: []int{1, 2}, rings: 2},
		"1 for A, 2 for dead letters in B (deferred by worker 0)":                                                {sink: 1, dead: 2, deferred: []int{0}},
		"1 for A (deferred by worker 0, 1, 2, 3, 4, 5, 6, 7 and 2 more)":                                         {sink: 1, deferred: many},
		"1 in rings, 2 for a retry, 3 behind an earlier message of their key, 4 for space in rings or in flight": {rings: 1, retry: 2, key: 3, unassigned: 4},
		"5 for a retry": {retry: 5},
	} {
		if got := w.describe("A", "B"); got != want {
			t.Errorf("%+v: %q, not %q", w, got, want)
		}
	}
}

func TestStallAfterIsNotNegative(t *testing.T) {
	c := Config{StallAfter: -time.Second}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "StallAfter: -1s is negative") {
		t.Errorf("error %v", err)
	}
	c = Config{}
	if _ = c.Validate(); c.StallAfter != time.Minute {
		t.Errorf("the default is %v", c.StallAfter)
	}
}
