package bench

import (
	"strings"
	"testing"

	"feedgate/cmd/feedgate/feedserver"
)

// run returns a sample of n acks at a rate.
func run(n uint64, rate float64) sample {
	return sample{served: served{Counts: feedserver.Counts{Sent: n, Acknowledged: n, Seconds: 1, MsgsPerS: rate, Connections: 1}}}
}

// TestFailedRoundsAreLeftOut: neither a subject's figures nor its ratio to limit include a run that was not
// completed.
func TestFailedRoundsAreLeftOut(t *testing.T) {
	stuck := run(10, 1)
	stuck.GaveUp = true
	failed := run(10, 1)
	failed.fault = "broken"
	h := &harness{}
	contenders := []contender{newContender("limit", "x"), newContender("inline", "x")}
	rows := h.rows(contenders, load{64, 2}, [][]sample{
		{run(10, 1), run(10, 1)},
		{run(10, 100), run(10, 50)},
		{failed, run(10, 60)},
		{run(10, 100), stuck},
	})
	limit, inline := rows[0], rows[1]
	if limit.Rounds != 2 || *limit.MsgsPerS != 100 || len(limit.Faults) != 1 {
		t.Errorf("limit: %+v", limit)
	}
	if inline.Rounds != 2 || *inline.MsgsPerS != 55 || *inline.OfLimit != 0.5 || len(inline.Faults) != 1 {
		t.Errorf("inline: %+v, %v, %v", inline, *inline.MsgsPerS, *inline.OfLimit)
	}
}

func TestEarlyAcksAreAFault(t *testing.T) {
	early := run(10, 1)
	early.Early = 2
	var row Row
	row.addFaults(1, &early)
	if row.Sound() || !strings.Contains(row.Faults[0], "before their messages were sent") {
		t.Errorf("faults %q", row.Faults)
	}
}
