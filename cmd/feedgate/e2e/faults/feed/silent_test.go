package feed

import (
	"path/filepath"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// TestSilence: the server falls silent, its connection stays. The gateway leaves it
// after --idle-timeout, tries again for as long as nothing answers, and finds the
// server when it is back.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name, streams := range map[string][]string{
		"both ways": {"downstream", "upstream"}, "from the server": {"downstream"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			silence(t, streams)
		})
	}
}

func silence(t *testing.T, streams []string) {
	idle := testkit.Form(2*time.Second, 10*time.Second)
	s := serve(t, 200_000, feedserver.Config{Count: feedserver.Endless, Rate: 2000, Heartbeat: 500 * time.Millisecond})
	tap := &tap{t: t}
	relay := testkit.StartRelay(t, s.address(), testkit.Wiring{Look: tap.look})
	toxics := startToxics(t, relay.Addr())
	file := newLedger(t, filepath.Join(t.TempDir(), "out"))
	g := start(t, "fg://"+toxics.addr(), file.Flag(), "--workers=2",
		"--idle-timeout="+idle.String(), "--connect-timeout=1s")
	testkit.Eventually(t, "acks", func() bool { return tap.count() > 100 })
	for _, stream := range streams {
		toxics.add("silent "+stream, "timeout", stream, map[string]int{"timeout": 0})
	}
	fell := time.Now()
	g.Says("nothing was received for --idle-timeout")
	left := time.Since(fell)
	// Meanwhile the gateway connects, and gets no answer to its login.
	g.Says("no answer within --connect-timeout")
	before := tap.count()
	for _, stream := range streams {
		toxics.remove("silent " + stream)
	}
	back := time.Now()
	testkit.Eventually(t, "acks", func() bool { return tap.count() > before })
	t.Logf("--idle-timeout %v: left after %.2f s; found again %.2f s after it was back", idle, left.Seconds(), time.Since(back).Seconds())
	// The promise is a second; this machine may be busy with other things.
	if left < idle-time.Second || left > idle+10*time.Second {
		t.Errorf("left after %v, want about --idle-timeout %v", left, idle)
	}
	settle(t, file, one(t, s.finish()))
	g.Stop()
	if n := file.Again(); n > 0 {
		t.Errorf("%d messages were processed twice by one process", n)
	}
}
