package view

import (
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	var h History
	if !h.Last().IsZero() {
		t.Error("an empty history has a last snapshot")
	}
	add := func(seconds float64) *View {
		h.Add(&Snapshot{at: start.Add(time.Duration(seconds * 1e9))})
		return h.View()
	}
	for _, c := range []struct {
		at   float64
		over string
	}{
		{0, "–"}, {1, "1 s"}, {2, "2 s"}, {3, "3 s"}, {4, "3 s"}, {5.5, "3.50 s"},
		{15, "9.50 s"}, // after a pause
		{40, "–"},      // after a long one
		{40.25, "250 ms"},
	} {
		if got := add(c.at).Over.String(); got != c.over {
			t.Errorf("at %v s the view is over %s, want %s", c.at, got, c.over)
		}
	}
	if n := len(h.snapshots); n != 2 {
		t.Errorf("%d snapshots are kept", n)
	}
}
