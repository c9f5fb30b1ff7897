package nsq

import (
	"testing"

	"feedgate/cmd/feedgate/e2e/faults/nsqtest"
	"feedgate/cmd/feedgate/e2e/testkit"
)

// moreThan waits until the file has so many more messages.
func moreThan(t *testing.T, l *testkit.Ledger, more uint64) {
	t.Helper()
	l.Read()
	enough := l.Distinct + more
	testkit.Eventually(t, "messages in the file", func() bool { l.Read(); return l.Distinct >= enough })
}

// TestNsqdStopped: nsqd ends in order under load and starts again on its data.
func TestNsqdStopped(t *testing.T) {
	t.Parallel()
	rng, l := testkit.Dice(t), newLedger(t)
	d := startNsqd(t, "--msg-timeout=1s")
	s := publish(t, d)
	g := start(t, nsqURL(d.TCP), l.Flag(), "--workers=2", "--in-flight=500")
	stops := testkit.Form(3, 25)
	for range stops {
		moreThan(t, l, uint64(1+rng.IntN(2000)))
		d.Stop()
		d.Start()
	}
	moreThan(t, l, 1)
	last := s.finish()
	settled(t, d, l, last)
	reconnected(t, g, stops)
	g.Stop()
	t.Logf("%d stops: %d messages, %d processed again", stops, last, l.Duplicates())
}

// reconnected checks that n connections were lost and taken up, and nothing was at fault.
func reconnected(t *testing.T, g *process, n int) {
	t.Helper()
	s := g.until("a connection", func(s stats) bool { return s.Connected == 1 })
	if s.Reconnects < uint64(n) {
		t.Errorf("%d reconnects, and the connection was lost %d times", s.Reconnects, n)
	}
	if s.faults("e_fin_failed", "e_touch_failed") != 0 {
		t.Errorf("protocol errors %v", s.Errors)
	}
}

// TestNsqdKilled: nsqd is killed under load and starts again on its data. It loses by
// design what it had taken from its queue on disk and not delivered, so no more than what
// was in flight; all else is handled.
func TestNsqdKilled(t *testing.T) {
	t.Parallel()
	const inFlight = 200
	rng, l := testkit.Dice(t), newLedger(t)
	d := startNsqd(t, "--msg-timeout=1s", "--mem-queue-size=0", "--sync-every=1")
	s := publish(t, d)
	g := start(t, nsqURL(d.TCP), l.Flag(), "--workers=2", "--in-flight=200")
	kills := testkit.Form(3, 25)
	for range kills {
		moreThan(t, l, uint64(1+rng.IntN(500)))
		d.Kill()
		d.Start()
	}
	moreThan(t, l, 1)
	last := s.finish()
	await(t, d, "nothing left", func(c nsqtest.Channel) bool { return c.Unfinished() == 0 && c.Messages > 0 })
	reconnected(t, g, kills)
	g.Stop()
	// Its topic, its channel and their queues each have one in hand, perhaps.
	lost, _ := l.Missing(last)
	if most := uint64(kills * (inFlight + 8)); lost > most {
		t.Errorf("%d of %d messages are not in the file; nsqd can have lost %d", lost, last, most)
	}
	t.Logf("%d kills: %d messages, nsqd lost %d, %d processed again", kills, last, lost, l.Duplicates())
}

// resets is a reset behind so many bytes of a direction.
func resets(where testkit.Direction, after int64) testkit.Cut {
	return testkit.Cut{How: testkit.Reset, Where: where, After: after}
}

// TestReset: connections are reset in the middle of a frame or a command.
func TestReset(t *testing.T) {
	t.Parallel()
	rng, l := testkit.Dice(t), newLedger(t)
	d := startNsqd(t, "--msg-timeout=1s")
	cuts := testkit.Form(8, 60)
	r := testkit.StartRelay(t, d.TCP, testkit.RelayOptions{Cuts: func(connection int) testkit.Cut {
		// What is said before the first message has been is cut too, now and then.
		switch {
		case connection >= cuts:
			return testkit.Cut{}
		case connection%4 == 3:
			return resets(testkit.Up, 1+rng.Int64N(300))
		case connection%2 == 0:
			return resets(testkit.Down, 400+rng.Int64N(100_000))
		}
		return resets(testkit.Up, 300+rng.Int64N(40_000))
	}})
	s := publish(t, d)
	g := start(t, nsqURL(r.Addr()), l.Flag(), "--workers=2", "--in-flight=500")
	testkit.Eventually(t, "every cut", func() bool { _, n := r.Counts(); return n == cuts })
	moreThan(t, l, 1)
	last := s.finish()
	settled(t, d, l, last)
	reconnected(t, g, cuts)
	g.Stop()
	t.Logf("%d resets: %d messages, %d processed again", cuts, last, l.Duplicates())
}
