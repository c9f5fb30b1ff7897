package nsq

import (
	"bytes"
	"slices"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// TestLarge: messages over --max-message are skipped, without being stored, and requeued with a
// growing delay. The messages around them are finished.
func TestLarge(t *testing.T) {
	t.Parallel()
	const large, count = 3, 3000
	d := startNsqd(t, "--max-msg-size=33554432", "--max-body-size=67108864")
	l, seen := newLedger(t), newTap(t)
	r := testkit.StartRelay(t, d.TCP, testkit.RelayOptions{Observe: seen.observe})
	big := bytes.Repeat([]byte("7"), 20<<20)
	for i := range uint64(large) {
		publishAll(t, d, i*count/large+1, (i+1)*count/large, digits)
		if err := d.Publish(topic, big); err != nil {
			t.Fatal(err)
		}
	}
	g := start(t, nsqURL(r.Addr()), l.Flag(), "--workers=2", "--max-message=1MiB", "--memory=8MiB", "--retry-min=100ms")
	attempts := testkit.Form(3, 6)
	testkit.Eventually(t, "repeated requeues of the large messages", func() bool {
		all := seen.delays()
		return len(all) == large && !slices.ContainsFunc(all, func(d []uint64) bool { return len(d) < attempts })
	})
	for _, delays := range seen.delays() {
		for i, delay := range delays {
			if delay != 100<<i {
				t.Errorf("delays %v ms, want them to double from 100", delays)
				break
			}
		}
	}
	testkit.Eventually(t, "the small messages", func() bool { l.Read(); return l.Distinct >= count })
	l.CheckComplete(count)
	s := g.stats()
	if s.Acks["3"] < uint64(large*attempts) || s.Reconnects+s.faults() != 0 {
		t.Errorf("stats %+v", s)
	}
	// Enough for the runtime and --memory, but not for the large messages.
	const most = 64 << 20
	if peak := g.PeakRSS(); peak > most {
		t.Errorf("%d MiB resident, at most %d are expected", peak>>20, most>>20)
	} else {
		t.Logf("%d MiB resident at most, %d large messages refused", peak>>20, s.Acks["3"])
	}
	d.EmptyChannel(topic, channel)
	g.Stop()
	if c := channelStats(t, d); c.Unfinished() != 0 || c.TimedOut != 0 {
		t.Errorf("left in nsqd: %+v", c)
	}
}
