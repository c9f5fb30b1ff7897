package nsq

import (
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// TestTouch: handlers take three times nsqd's timeout, and every message is delivered once.
func TestTouch(t *testing.T) {
	t.Parallel()
	count := testkit.Form[uint64](6, 40)
	flag, got := children(t, script{takes: 3 * time.Second})
	d := startNsqd(t, "--msg-timeout=1s")
	publishAll(t, d, 1, count, digits)
	// With 6 in flight and 4 workers, two wait behind others. They are touched as well.
	g := start(t, nsqURL(d.TCP), flag, "--workers=4", "--in-flight=6")
	c := awaitFinished(t, d, count)
	checkDeliveredOnce(t, c)
	got.CheckComplete(count)
	if got.Lines != count {
		t.Errorf("%d messages were delivered %d times", count, got.Lines)
	}
	s := g.until("all acks counted", func(s stats) bool { return s.Acks["0"] == count })
	if s.Reconnects+s.faults() != 0 {
		t.Errorf("stats %+v", s)
	}
	g.Stop()
}

// TestTimedOut: a handler takes longer than nsqd's --max-msg-timeout, which TOUCH cannot
// extend. The second delivery is finished at once. The late answer to the first one is counted,
// and the connection stays open.
func TestTimedOut(t *testing.T) {
	t.Parallel()
	for _, late := range []struct {
		name   string
		code   uint16
		reason string
	}{{"FIN", 0, "e_fin_failed"}, {"REQ", 1234, "e_req_failed"}} {
		t.Run(late.name, func(t *testing.T) {
			t.Parallel()
			timedOut(t, late.code, late.reason)
		})
	}
}

func timedOut(t *testing.T, code uint16, reason string) {
	flag, got := children(t, script{held: true, code: code})
	d := startNsqd(t, "--msg-timeout=1s", "--max-msg-timeout=2s")
	publishAll(t, d, 1, 1, digits)
	// The other worker gets the second delivery. nsqd first looks for timeouts of a new
	// channel after 5 s.
	g := start(t, nsqURL(d.TCP), flag, "--workers=2")
	c := awaitFinished(t, d, 1)
	addr := c.Clients[0].Addr
	release(t, got)
	s := g.until("a late answer counted", func(s stats) bool { return s.Errors[reason] > 0 })
	if got.CheckComplete(1); c.TimedOut != 1 || got.Lines != 2 || s.Errors[reason] != 1 {
		t.Errorf("%d timed out, %d deliveries, stats %+v", c.TimedOut, got.Lines, s)
	}
	// The connection still works.
	const more = 100
	for range more {
		publishAll(t, d, 1, 1, digits)
	}
	c = awaitFinished(t, d, 1+more)
	if len(c.Clients) != 1 || c.Clients[0].Addr != addr {
		t.Errorf("clients %+v, want the one at %s", c.Clients, addr)
	}
	if s = g.stats(); s.Reconnects != 0 || s.faults(reason) != 0 {
		t.Errorf("stats %+v", s)
	}
	g.Stop()
}
