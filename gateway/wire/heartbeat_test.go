package wire_test

import (
	"testing"
	"time"

	"feedgate/gateway/wire"
)

func TestHeartbeat(t *testing.T) {
	type call struct {
		now  time.Duration
		due  bool
		next time.Duration
	}
	for name, c := range map[string]struct {
		interval time.Duration
		calls    []call
	}{
		"none":                         {0, []call{{0, false, 0}, {time.Hour, false, 0}}},
		"the first call begins it":     {10, []call{{1000, false, 1010}, {1009, false, 1010}, {1010, true, 1020}}},
		"from zero on":                 {10, []call{{0, false, 10}, {10, true, 20}}},
		"late calls do not add up":     {10, []call{{0, false, 10}, {13, true, 20}, {20, true, 30}, {39, true, 40}}},
		"a whole interval late":        {10, []call{{0, false, 10}, {20, true, 30}}},
		"several intervals are one":    {10, []call{{0, false, 10}, {57, true, 67}, {66, false, 67}, {67, true, 77}}},
		"early calls put nothing off":  {10, []call{{0, false, 10}, {5, false, 10}, {9, false, 10}, {10, true, 20}}},
		"repeated at the same moment":  {10, []call{{0, false, 10}, {10, true, 20}, {10, false, 20}}},
		"a moment before zero is fine": {10, []call{{-30, false, -20}, {-20, true, -10}, {-10, true, 0}, {-1, false, 0}, {0, true, 10}}},
	} {
		h := wire.Heartbeat{Interval: c.interval}
		for i, want := range c.calls {
			if due, next := h.Due(want.now); due != want.due || next != want.next {
				t.Errorf("%s: call %d at %d: %v, next at %d; want %v, %d", name, i, want.now, due, next, want.due, want.next)
			}
		}
	}
}
