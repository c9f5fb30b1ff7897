package nsq

import (
	"syscall"
	"testing"

	"feedgate/cmd/feedgate/e2e/faults/nsqtest"
	"feedgate/cmd/feedgate/e2e/testkit"
)

// TestNsqdStalled: nsqd is suspended, with its connections open, and resumed.
func TestNsqdStalled(t *testing.T) {
	t.Parallel()
	const count = 50_000
	d, l := startNsqd(t, "--msg-timeout=2s"), newLedger(t)
	g := start(t, nsqURL(d.TCP), l.Flag(), "--workers=2",
		"--heartbeat=1s", "--idle-timeout=2s", "--connect-timeout=1s")
	publishAll(t, d, 1, count, digits)
	awaitMore(t, l, 1)
	d.Signal(syscall.SIGSTOP)
	// The first connection times out, and then the login of the next one.
	g.until("two lost connections", func(s stats) bool { return s.Reconnects >= 2 })
	d.Signal(syscall.SIGCONT)
	awaitAll(t, d, l, count)
	s := g.until("a connection", func(s stats) bool { return s.Connected == 1 })
	if s.Errors["login"] == 0 || s.faults("login", "e_fin_failed", "e_touch_failed") != 0 {
		t.Errorf("stats %+v", s)
	}
	g.Stop()
}

// TestGatewayStalled: the gateway is suspended until nsqd has closed its connection, and resumes
// with the messages it has read. Their FINs have no effect.
func TestGatewayStalled(t *testing.T) {
	t.Parallel()
	d, l := startNsqd(t, "--msg-timeout=1s"), newLedger(t)
	s := publish(t, d)
	g := start(t, nsqURL(d.TCP), l.Flag(), "--workers=2", "--heartbeat=1s")
	for range testkit.Form(1, 5) {
		awaitMore(t, l, 1000)
		g.Signal(syscall.SIGSTOP)
		await(t, d, "no clients", func(c nsqtest.Channel) bool { return len(c.Clients) == 0 })
		g.Signal(syscall.SIGCONT)
		await(t, d, "a client", func(c nsqtest.Channel) bool { return len(c.Clients) == 1 })
	}
	awaitMore(t, l, 1000)
	awaitAll(t, d, l, s.finish())
	checkReconnects(t, g, testkit.Form(1, 5))
	g.Stop()
}

// TestDeleted: the channel is deleted while the gateway consumes it. The gateway recreates it.
func TestDeleted(t *testing.T) {
	t.Parallel()
	const count = 5000
	d, l := startNsqd(t), newLedger(t)
	g := start(t, nsqURL(d.TCP), l.Flag(), "--workers=2")
	publishAll(t, d, 1, count, digits)
	awaitFinished(t, d, count)
	n := testkit.Form(2, 20)
	for i := range uint64(n) {
		before := g.stats().Reconnects
		d.DeleteChannel(topic, channel)
		g.until("a connection", func(s stats) bool { return s.Connected == 1 && s.Reconnects > before })
		await(t, d, "a client", func(c nsqtest.Channel) bool { return len(c.Clients) == 1 && c.Clients[0].Ready > 0 })
		publishAll(t, d, (i+1)*count+1, (i+2)*count, digits)
		awaitFinished(t, d, count)
	}
	l.CheckComplete(uint64(n+1) * count)
	checkReconnects(t, g, n)
	g.Stop()
}
