package feed

import (
	"path/filepath"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// TestSilence: the server falls silent, but its connection stays open. The gateway closes it after
// --idle-timeout, retries while nothing answers, and reconnects once the server is back.
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
	tap := feedtest.NewTap(t)
	relay := testkit.StartRelay(t, s.Address(), testkit.RelayOptions{Observe: tap.Observe})
	toxics := startToxics(t, relay.Addr())
	file := newLedger(t, filepath.Join(t.TempDir(), "out"))
	g := start(t, "fg://"+toxics.addr(), file.Flag(), "--workers=2",
		"--idle-timeout="+idle.String(), "--connect-timeout=1s")
	testkit.Eventually(t, "acks", func() bool { return tap.Count() > 100 })
	for _, stream := range streams {
		toxics.add("silent "+stream, "timeout", stream, map[string]int{"timeout": 0})
	}
	silent := time.Now()
	g.WaitLog("nothing was received for --idle-timeout")
	closed := time.Since(silent)
	// The gateway can connect, but gets no answer to its login.
	g.WaitLog("no answer within --connect-timeout")
	before := tap.Count()
	for _, stream := range streams {
		toxics.remove("silent " + stream)
	}
	back := time.Now()
	testkit.Eventually(t, "acks", func() bool { return tap.Count() > before })
	t.Logf("--idle-timeout %v: closed after %.2f s; acks resumed %.2f s after the end of the silence", idle, closed.Seconds(), time.Since(back).Seconds())
	// The documented bound is one second more; a busy machine may need longer.
	if closed < idle-time.Second || closed > idle+10*time.Second {
		t.Errorf("closed after %v, want about --idle-timeout %v", closed, idle)
	}
	checkSession(t, file, feedtest.OnlySession(t, s.Finish()))
	g.Stop()
	if n := file.Duplicates(); n > 0 {
		t.Errorf("%d messages were processed twice by one process", n)
	}
}
