package gateway

import (
	"slices"
	"testing"
	"time"
)

// TestLingerIsPolled: the socket is polled every lingerPoll until the peer's TCP has acknowledged
// everything. With --idle-timeout 0, nothing else wakes the loop.
func TestLingerIsPolled(t *testing.T) {
	i := slices.IndexFunc(connTimers, func(t timer) bool { return t.name == "linger poll" })
	c := &conn{l: &loop{lastTurn: time.Minute}}
	if due := connTimers[i].due(c); due != time.Minute+lingerPoll {
		t.Errorf("due at %v", due)
	}
	c.end.linger = time.Hour
	if due := connTimers[i].due(c); due != 0 {
		t.Errorf("due at %v though all is acknowledged", due)
	}
}
