package nsq

import (
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/nsqtest"
	"feedgate/cmd/feedgate/e2e/testkit"
)

// TestKill: the gateway is killed (SIGKILL) at random moments under load and restarted at once with
// the same file. Every FINished message is in the file once the process has ended.
func TestKill(t *testing.T) {
	t.Parallel()
	rng, l, seen := testkit.Rand(t), newLedger(t), newTap(t)
	d := startNsqd(t, "--msg-timeout=1s")
	r := testkit.StartRelay(t, d.TCP, testkit.RelayOptions{Observe: seen.observe})
	s := publish(t, d)
	begin := func() *process {
		return start(t, nsqURL(r.Addr()), l.Flag(), "--workers=2", "--in-flight=300")
	}
	kills := testkit.Form(5, 60)
	for range kills {
		g, enough := begin(), seen.count()+1+uint64(rng.IntN(3000))
		testkit.Eventually(t, "FINs", func() bool { return seen.count() >= enough })
		time.Sleep(time.Duration(rng.IntN(30_000)) * time.Microsecond)
		if !g.Running() {
			t.Fatal("the gateway ended on its own")
		}
		g.Kill()
		r.WaitClosed()
		l.Read()
		if n, first := seen.premature(l); n > 0 {
			t.Errorf("ACKED BEFORE DURABLE: %d messages, one is %d", n, first)
		}
	}
	last := s.finish()
	g := begin()
	awaitAll(t, d, l, last)
	g.Stop()
	t.Logf("%d kills: %d messages, %d processed again", kills, last, l.Duplicates())
}

// TestDrain: SIGTERM under load leaves nothing in flight, and nothing is delivered twice.
func TestDrain(t *testing.T) {
	t.Parallel()
	rng, l := testkit.Rand(t), newLedger(t)
	d := startNsqd(t, "--msg-timeout=60s")
	s := publish(t, d)
	for range testkit.Form(4, 40) {
		g := start(t, nsqURL(d.TCP), l.Flag(), "--workers=2")
		enough := uint64(1 + rng.IntN(3000))
		g.until("messages", func(s stats) bool { return s.Messages >= enough })
		g.Stop()
		c := channelStats(t, d)
		checkDeliveredOnce(t, c)
		if c.InFlight != 0 || c.Deferred != 0 {
			t.Errorf("after a drain: %d in flight, %d deferred", c.InFlight, c.Deferred)
		}
	}
	last := s.finish()
	g := start(t, nsqURL(d.TCP), l.Flag(), "--workers=2")
	awaitAll(t, d, l, last)
	checkDeliveredOnce(t, channelStats(t, d))
	if l.Lines != last {
		t.Errorf("%d lines of %d messages", l.Lines, last)
	}
	g.Stop()
}

// TestDrainSlow: a drain waits for the handlers of delivered messages, and for nothing else.
func TestDrainSlow(t *testing.T) {
	t.Parallel()
	const inFlight, count = 8, 400 // a minute's work, so 8 stay in flight
	flag, got := children(t, script{takes: 300 * time.Millisecond})
	d := startNsqd(t)
	publishAll(t, d, 1, count, digits)
	g := start(t, nsqURL(d.TCP), flag, "--workers=2", "--in-flight=8")
	await(t, d, "messages in flight", func(c nsqtest.Channel) bool { return c.InFlight == inFlight })
	g.Stop()
	c := channelStats(t, d)
	checkDeliveredOnce(t, c)
	got.Read()
	if c.InFlight != 0 || uint64(c.Depth) != count-got.Lines || got.Lines != got.Distinct {
		t.Errorf("%d in flight, %d queued, %d deliveries to children, of %d messages",
			c.InFlight, c.Depth, got.Lines, got.Distinct)
	}
}
