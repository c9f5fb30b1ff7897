package faults

import (
	"testing"
	"time"

	"feedgate/bench/nsq/nsqtest"
)

// TestKill: kill -9 at random moments under load, and at once started again with the same
// file. What was FINished is in the file when the process is dead.
func TestKill(t *testing.T) {
	t.Parallel()
	rng, l, seen := dice(t), newLedger(t), newTap(t)
	d := startNsqd(t, "--msg-timeout=1s")
	r := startRelay(t, d.TCP, wiring{tap: seen})
	s := publish(t, d)
	begin := func() *process {
		return start(t, nsqURL(r.addr()), l.flag(), "--workers=2", "--in-flight=300")
	}
	kills := form(5, 60)
	for range kills {
		g, enough := begin(), seen.count()+1+uint64(rng.IntN(3000))
		eventually(t, "FINs", func() bool { return seen.count() >= enough })
		time.Sleep(time.Duration(rng.IntN(30_000)) * time.Microsecond)
		if !g.running() {
			t.Fatal("the gateway ended by itself")
		}
		g.kill()
		r.drained()
		l.read()
		if n, first := seen.unfounded(l); n > 0 {
			t.Errorf("ACKED BEFORE DURABLE: %d messages, one is %d", n, first)
		}
	}
	last := s.finish()
	g := begin()
	settled(t, d, l, last)
	g.stop()
	t.Logf("%d kills: %d messages, %d processed again", kills, last, l.lines-l.once)
}

// TestDrain: SIGTERM under load leaves nothing in flight, and nothing comes again.
func TestDrain(t *testing.T) {
	t.Parallel()
	rng, l := dice(t), newLedger(t)
	d := startNsqd(t, "--msg-timeout=60s")
	s := publish(t, d)
	for range form(4, 40) {
		g := start(t, nsqURL(d.TCP), l.flag(), "--workers=2")
		enough := uint64(1 + rng.IntN(3000))
		g.until("messages", func(s stats) bool { return s.Messages >= enough })
		g.stop()
		c := look(t, d)
		untroubled(t, c)
		if c.InFlight != 0 || c.Deferred != 0 {
			t.Errorf("behind a drain: %d in flight, %d put off", c.InFlight, c.Deferred)
		}
	}
	last := s.finish()
	g := start(t, nsqURL(d.TCP), l.flag(), "--workers=2")
	settled(t, d, l, last)
	untroubled(t, look(t, d))
	if l.lines != last {
		t.Errorf("%d lines of %d messages", l.lines, last)
	}
	g.stop()
}

// TestDrainSlow: a drain waits for handlers, and for no more than what was delivered.
func TestDrainSlow(t *testing.T) {
	t.Parallel()
	const inFlight, count = 8, 40
	flag, got := children(t, script{first: 300 * time.Millisecond})
	d := startNsqd(t)
	publishAll(t, d, 1, count, digits)
	g := start(t, nsqURL(d.TCP), flag, "--workers=2", "--in-flight=8")
	await(t, d, "messages in flight", func(c nsqtest.Channel) bool { return c.InFlight == inFlight })
	g.stop()
	c := look(t, d)
	untroubled(t, c)
	got.read()
	if c.InFlight != 0 || uint64(c.Depth) != count-got.lines || got.lines != got.once {
		t.Errorf("%d in flight, %d queued, %d messages were with a child, %d of them different",
			c.InFlight, c.Depth, got.lines, got.once)
	}
}
