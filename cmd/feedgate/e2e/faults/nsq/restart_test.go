package nsq

import (
	"testing"

	"feedgate/cmd/feedgate/e2e/faults/nsqtest"
	"feedgate/cmd/feedgate/e2e/testkit"
)

// awaitMore waits until the file has more additional messages.
func awaitMore(t *testing.T, l *testkit.Ledger, more uint64) {
	t.Helper()
	l.Read()
	enough := l.Distinct + more
	testkit.Eventually(t, "messages in the file", func() bool { l.Read(); return l.Distinct >= enough })
}

// TestNsqdStopped: nsqd is stopped under load and restarted with its data. A message that it is about
// to send, or to queue again, while it writes its queues to disk is in neither: nsqd loses it. All
// others are processed, and none that was FINished is lost.
func TestNsqdStopped(t *testing.T) {
	t.Parallel()
	rng, l, seen := testkit.Rand(t), newLedger(t), newTap(t)
	d := startNsqd(t, "--msg-timeout=1s")
	r := testkit.StartRelay(t, d.TCP, testkit.RelayOptions{Observe: seen.observe})
	s := publish(t, d)
	g := start(t, nsqURL(r.Addr()), l.Flag(), "--workers=2", "--in-flight=500")
	stops := testkit.Form(3, 25)
	for range stops {
		awaitMore(t, l, uint64(1+rng.IntN(2000)))
		d.Stop()
		d.Start()
	}
	awaitMore(t, l, 1)
	last := s.finish()
	await(t, d, "nothing left", func(c nsqtest.Channel) bool { return c.Unfinished() == 0 })
	checkReconnects(t, g, stops)
	g.Stop()
	lost := checkLost(t, l, seen, last, uint64(stops))
	t.Logf("%d stops: %d messages, nsqd lost %d, %d processed again", stops, last, lost, l.Duplicates())
}

// checkLost returns how many of the messages 1 to last are not in the file. It checks that they are at
// most most, and that none of them was FINished: so they were lost by nsqd.
func checkLost(t *testing.T, l *testkit.Ledger, seen *tap, last, most uint64) uint64 {
	t.Helper()
	lost, _ := l.Missing(last)
	if lost > most {
		t.Errorf("%d of %d messages are not in the file; nsqd can have lost at most %d", lost, last, most)
	}
	if n, one := seen.premature(l); n > 0 {
		t.Errorf("LOST: %d messages were FINished and are not in the file, one is %d", n, one)
	}
	return lost
}

// checkReconnects checks that at least n lost connections were replaced, without protocol errors.
func checkReconnects(t *testing.T, g *process, n int) {
	t.Helper()
	s := g.until("a connection", func(s stats) bool { return s.Connected == 1 })
	if s.Reconnects < uint64(n) {
		t.Errorf("%d reconnects after %d lost connections", s.Reconnects, n)
	}
	if s.faults("e_fin_failed", "e_touch_failed") != 0 {
		t.Errorf("protocol errors %v", s.Errors)
	}
}

// TestNsqdKilled: nsqd is killed under load and restarted with its data. By design it loses what it
// has read from its disk queue and not yet delivered: no more than what may be in flight. All other
// messages are processed.
func TestNsqdKilled(t *testing.T) {
	t.Parallel()
	const inFlight = 200
	rng, l, seen := testkit.Rand(t), newLedger(t), newTap(t)
	d := startNsqd(t, "--msg-timeout=1s", "--mem-queue-size=0", "--sync-every=1")
	r := testkit.StartRelay(t, d.TCP, testkit.RelayOptions{Observe: seen.observe})
	s := publish(t, d)
	g := start(t, nsqURL(r.Addr()), l.Flag(), "--workers=2", "--in-flight=200")
	kills := testkit.Form(3, 25)
	for range kills {
		awaitMore(t, l, uint64(1+rng.IntN(500)))
		d.Kill()
		d.Start()
	}
	awaitMore(t, l, 1)
	last := s.finish()
	await(t, d, "nothing left", func(c nsqtest.Channel) bool { return c.Unfinished() == 0 && c.Messages > 0 })
	checkReconnects(t, g, kills)
	g.Stop()
	// Its topic, its channel and their queues may each hold one more.
	lost := checkLost(t, l, seen, last, uint64(kills*(inFlight+8)))
	t.Logf("%d kills: %d messages, nsqd lost %d, %d processed again", kills, last, lost, l.Duplicates())
}

// resetAfter is a reset after so many bytes of a direction.
func resetAfter(where testkit.Direction, after int64) testkit.Cut {
	return testkit.Cut{How: testkit.Reset, Where: where, After: after}
}

// TestReset: connections are reset in the middle of a frame or a command.
func TestReset(t *testing.T) {
	t.Parallel()
	rng, l := testkit.Rand(t), newLedger(t)
	d := startNsqd(t, "--msg-timeout=1s")
	cuts := testkit.Form(8, 60)
	r := testkit.StartRelay(t, d.TCP, testkit.RelayOptions{Cuts: func(connection int) testkit.Cut {
		// One cut in four is in the login.
		switch {
		case connection >= cuts:
			return testkit.Cut{}
		case connection%4 == 3:
			return resetAfter(testkit.Up, 1+rng.Int64N(300))
		case connection%2 == 0:
			return resetAfter(testkit.Down, 400+rng.Int64N(100_000))
		}
		return resetAfter(testkit.Up, 300+rng.Int64N(40_000))
	}})
	s := publish(t, d)
	g := start(t, nsqURL(r.Addr()), l.Flag(), "--workers=2", "--in-flight=500")
	testkit.Eventually(t, "every cut", func() bool { _, n := r.Counts(); return n == cuts })
	awaitMore(t, l, 1)
	last := s.finish()
	awaitAll(t, d, l, last)
	checkReconnects(t, g, cuts)
	g.Stop()
	t.Logf("%d resets: %d messages, %d processed again", cuts, last, l.Duplicates())
}
