package feed

import (
	"path/filepath"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// outage is a gateway under load from which something is taken that it needs, for a
// while.
type outage struct {
	t    *testing.T
	s    *source
	tap  *tap
	via  *testkit.Relay
	g    *gateway
	file *testkit.Ledger
	// moved: the file was taken away, perhaps during a commit, whose messages are then
	// in the next one as well.
	moved bool
}

// oneCommit is how many messages a commit has at most at outageRate, on a machine that
// is busy with other tests.
const oneCommit = outageRate / 2

// outageRate is slow enough for a backlog to be small, messages per second.
const outageRate = 2000

// startOutage starts a gateway that writes to the file out in dir.
func startOutage(t *testing.T, dir string, l testkit.Launch) *outage {
	t.Helper()
	o := &outage{
		t: t, s: serve(t, 200_000, feedserver.Config{Count: feedserver.Endless, Rate: outageRate}), tap: &tap{t: t},
		file: newLedger(t, filepath.Join(dir, "out")),
	}
	o.via = testkit.StartRelay(t, o.s.address(), testkit.Wiring{Look: o.tap.look})
	l.Args = append([]string{"fg://" + o.via.Addr(), o.file.Flag(), "--workers=2",
		"--reconnect-max=200ms"}, l.Args...)
	o.g = launch(t, l)
	o.progress()
	return o
}

// progress waits until more is acked.
func (o *outage) progress() {
	o.t.Helper()
	before := o.tap.count()
	testkit.Eventually(o.t, "more acks", func() bool { return o.tap.count() > before+10 })
}

// endure waits for the words that say what is missing, and then looks on for a while:
// the gateway is to say little and do little.
func (o *outage) endure(words ...string) {
	o.t.Helper()
	o.g.Says(words...)
	endure(o.t, o.g)
}

// endure is a look at a gateway that cannot do its work.
func endure(t *testing.T, g *gateway) {
	t.Helper()
	before, lines := g.mustUsage(), g.Log.Lines()
	time.Sleep(testkit.Form(time.Second, 10*time.Second))
	after := g.mustUsage()
	span := after.at.Sub(before.at).Seconds()
	perSecond := float64(g.Log.Lines()-lines) / span
	t.Logf("for %.1f s: %.1f lines of log a second, %.1f%% of a core", span, perSecond, 100*after.load(before))
	// Full jitter of 200 ms at most is ten attempts a second on average; one that
	// spins would log thousands, and take a core.
	if perSecond > 60 || after.load(before) > 0.5 {
		t.Errorf("%.1f lines of log a second and %.1f%% of a core: it spins", perSecond, 100*after.load(before))
	}
}

// over ends the test: the gateway goes on, and in the end all is there.
func (o *outage) over() {
	o.t.Helper()
	o.progress()
	c := one(o.t, o.s.finish())
	o.g.Stop()
	settle(o.t, o.file, c)
	o.t.Logf("%d messages, %d connections, %d processed again", c.Sent, c.Connections, o.file.Again())
	if n := o.file.Again(); n > 0 && !(o.moved && n <= oneCommit) {
		o.t.Errorf("%d messages are in the file twice", n)
	}
}
