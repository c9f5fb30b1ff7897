package delivery

import "testing"

// TestGaps: a jump makes one gap; its numbers may arrive later and are then new.
func TestGaps(t *testing.T) {
	var s sequence
	s.restart(10)
	steps := []struct {
		seq  uint64
		want Arrival
		gap  Range
	}{
		{10, Fresh, noNumbers},
		{15, Fresh, Range{11, 14}},
		{12, Late, noNumbers},
		{12, Back, noNumbers},
		{11, Late, noNumbers},
		{10, Back, noNumbers},
		{16, Fresh, noNumbers},
		{14, Late, noNumbers},
		{13, Late, noNumbers},
		{13, Back, noNumbers},
	}
	for _, step := range steps {
		v := s.accept(step.seq)
		if v.arrival != step.want || v.gap != step.gap {
			t.Errorf("%d: arrival %d gap %v, want %d %v", step.seq, v.arrival, v.gap, step.want, step.gap)
		}
	}
	for i := range uint64(3000) {
		s.accept(100 + 2*i)
	}
	if len(s.gaps) != maxGaps {
		t.Errorf("%d gaps remembered, want %d", len(s.gaps), maxGaps)
	}
}
