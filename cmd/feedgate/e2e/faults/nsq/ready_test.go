package nsq

import (
	"testing"

	"feedgate/cmd/feedgate/e2e/faults/nsqtest"
	"feedgate/cmd/feedgate/e2e/testkit"
)

// TestReady: RDY is at most --max-rdy-count.
func TestReady(t *testing.T) {
	t.Parallel()
	count := testkit.Form[uint64](5000, 50_000)
	d, l := startNsqd(t, "--max-rdy-count=10"), newLedger(t)
	g := start(t, nsqURL(d.TCP), l.Flag(), "--in-flight=2500")
	await(t, d, "RDY 10", func(c nsqtest.Channel) bool { return len(c.Clients) == 1 && c.Clients[0].Ready == 10 })
	publishAll(t, d, 1, count, digits)
	most := 0
	c := await(t, d, "all finished", func(c nsqtest.Channel) bool {
		most = max(most, c.InFlight)
		return c.Messages == count && c.Unfinished() == 0
	})
	checkDeliveredOnce(t, c)
	if most > 10 || c.Clients[0].Ready != 10 {
		t.Errorf("%d in flight, RDY %d", most, c.Clients[0].Ready)
	}
	l.CheckComplete(count)
	if s := g.stats(); s.Reconnects+s.faults() != 0 {
		t.Errorf("stats %+v", s)
	}
	g.Stop()
}

// TestPaused: heartbeats keep the connection open while the channel is paused.
func TestPaused(t *testing.T) {
	t.Parallel()
	const count, heartbeats = 1000, 4
	d, l, seen := startNsqd(t), newLedger(t), newTap(t)
	d.PauseChannel(topic, channel)
	r := testkit.StartRelay(t, d.TCP, testkit.RelayOptions{Observe: seen.observe})
	g := start(t, nsqURL(r.Addr()), l.Flag(), "--heartbeat=1s", "--idle-timeout=5s")
	c := await(t, d, "a client", func(c nsqtest.Channel) bool { return len(c.Clients) == 1 && c.Clients[0].Ready > 0 })
	addr := c.Clients[0].Addr
	publishAll(t, d, 1, count, digits)
	before := seen.heartbeats()
	testkit.Eventually(t, "heartbeats answered", func() bool { return seen.heartbeats() >= before+heartbeats })
	if c = channelStats(t, d); c.Depth != count || len(c.Clients) != 1 || c.Clients[0].Addr != addr {
		t.Errorf("paused: %+v", c)
	}
	if l.Read(); l.Lines != 0 {
		t.Errorf("%d messages delivered from a paused channel", l.Lines)
	}
	d.UnpauseChannel(topic, channel)
	checkDeliveredOnce(t, awaitFinished(t, d, count))
	l.CheckComplete(count)
	if s := g.stats(); s.Reconnects+s.faults() != 0 {
		t.Errorf("stats %+v", s)
	}
	g.Stop()
}
