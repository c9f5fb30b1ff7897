package feed

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// outage is a gateway under load that lacks something it needs, for a while.
type outage struct {
	t    *testing.T
	s    *feedtest.Source
	tap  *feedtest.Tap
	via  *testkit.Relay
	g    *gateway
	file *testkit.Ledger
	// moved: the file was moved or removed, perhaps during a commit; the sink then writes
	// the messages of that commit to the next file as well.
	moved bool
}

const (
	// outageRate is in messages per second, and low, so that the backlog stays small.
	outageRate = 2000
	// outageWindow is --in-flight, so no commit has more messages.
	outageWindow = 1000
)

// startOutage starts a gateway that writes to the file out in dir.
func startOutage(t *testing.T, dir string, l testkit.Launch) *outage {
	t.Helper()
	o := &outage{
		t: t, s: serve(t, 200_000, feedserver.Config{Count: feedserver.Endless, Rate: outageRate}), tap: feedtest.NewTap(t),
		file: newLedger(t, filepath.Join(dir, "out")),
	}
	o.via = testkit.StartRelay(t, o.s.Address(), testkit.RelayOptions{Observe: o.tap.Observe})
	l.Args = append([]string{"fg://" + o.via.Addr(), o.file.Flag(), "--workers=2",
		"--in-flight=" + strconv.Itoa(outageWindow), "--reconnect-max=200ms"}, l.Args...)
	o.g = launch(t, l)
	o.progress()
	return o
}

// progress waits for more acks.
func (o *outage) progress() {
	o.t.Helper()
	before := o.tap.Count()
	testkit.Eventually(o.t, "more acks", func() bool { return o.tap.Count() > before+10 })
}

// checkBlocked waits until the log names what is missing, and then checks for a while that the
// gateway neither spins nor floods its log.
func (o *outage) checkBlocked(words ...string) {
	o.t.Helper()
	o.g.WaitLog(words...)
	checkBackoff(o.t, o.g)
}

// checkBackoff checks that a gateway that cannot do its work backs off: it uses little CPU time and
// logs few lines.
func checkBackoff(t *testing.T, g *gateway) {
	t.Helper()
	before, lines := g.mustUsage(), g.Log.Lines()
	time.Sleep(testkit.Form(time.Second, 10*time.Second))
	after := g.mustUsage()
	span := after.at.Sub(before.at).Seconds()
	perSecond := float64(g.Log.Lines()-lines) / span
	t.Logf("for %.1f s: %.1f log lines per second, %.1f%% of a core", span, perSecond, 100*after.load(before))
	// Full jitter up to 200 ms makes ten attempts per second on average. A gateway that
	// spins would log thousands of lines and use a core.
	if perSecond > 60 || after.load(before) > 0.5 {
		t.Errorf("%.1f log lines per second and %.1f%% of a core: the gateway spins", perSecond, 100*after.load(before))
	}
}

// over ends the outage and the test: the gateway resumes its work, and nothing is lost.
func (o *outage) over() {
	o.t.Helper()
	o.progress()
	c := feedtest.OnlySession(o.t, o.s.Finish())
	o.g.Stop()
	checkSession(o.t, o.file, c)
	o.t.Logf("%d messages, %d connections, %d processed again", c.Sent, c.Connections, o.file.Duplicates())
	if n := o.file.Duplicates(); n > 0 && !(o.moved && n <= outageWindow) {
		o.t.Errorf("%d messages are in the file twice", n)
	}
}
