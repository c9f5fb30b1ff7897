package gateway

import (
	"testing"
	"time"
)

func TestAckTimes(t *testing.T) {
	var a ackTimes
	oldest := func(want time.Duration) {
		t.Helper()
		if when, ok := a.oldest(); when != want || ok != (want != 0) {
			t.Errorf("the oldest is of %v, %v; want %v", when, ok, want)
		}
	}
	oldest(0)
	a.add(1, 100)
	a.add(2, 100) // nothing was sent
	a.add(3, 250)
	oldest(1)
	a.transmitted(99)
	oldest(1)
	a.transmitted(100)
	oldest(3)
	a.transmitted(300)
	oldest(0)
	for i := range 2 * maxAckTimes {
		a.add(time.Duration(i+1), uint64(i+1))
	}
	if n := len(a.all); n != maxAckTimes {
		t.Errorf("%d times", n)
	}
	oldest(1)
	a.reset()
	oldest(0)
}
