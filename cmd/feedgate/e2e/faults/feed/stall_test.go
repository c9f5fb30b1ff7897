package feed

import (
	"path/filepath"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

const (
	stallMemory = 16 << 20
	// stallAllowance is the memory that a gateway may use in addition to --memory: about 20 MiB at
	// rest, for the binary and the Go runtime; 2 MiB for rings of 8192 entries, the window and
	// unsent acks; the rest for the sink and garbage.
	stallAllowance = 32 << 20
	// raceFactor is how much more memory the race detector may use.
	raceFactor = 10
)

// TestStall: the server stops reading acks but keeps sending. The gateway fills its window, stops
// reading and waits, within its memory and without using the CPU. It resumes when its acks are read
// again.
func TestStall(t *testing.T) {
	t.Parallel()
	s := serve(t, testkit.Form(400_000, 1_000_000), feedserver.Config{Window: 1 << 24, IdleTimeout: time.Hour})
	tap := feedtest.NewTap(t)
	relay := testkit.StartRelay(t, s.Address(), testkit.RelayOptions{Observe: tap.Observe, Small: true})
	file := newLedger(t, filepath.Join(t.TempDir(), "out"))
	g := launch(t, testkit.Launch{Admin: true, Args: []string{"fg://" + relay.Addr(), file.Flag(),
		"--memory=16MiB", "--workers=2", "--exit-on-close"}})
	testkit.Eventually(t, "acks", func() bool { return tap.Count() > 1000 })
	relay.UpGate.Close()
	handed := stalled(t, g)
	before, most := g.mustUsage(), int64(0)
	for end := before.at.Add(testkit.Form(3*time.Second, 130*time.Second)); time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
		most = max(most, g.mustUsage().rss)
	}
	after := g.mustUsage()
	if now := g.mustMetric("feedgate_messages_total"); now != handed {
		t.Errorf("%.0f messages were taken during the stall", now-handed)
	}
	bound := int64(stallMemory + stallAllowance)
	if raceBuild {
		bound *= raceFactor
	}
	t.Logf("stalled for %.1f s after %.0f messages: RSS at most %s (bound %s), %.2f%% of a core",
		after.at.Sub(before.at).Seconds(), handed, mib(most), mib(bound), 100*after.load(before))
	if most > bound {
		t.Errorf("RSS %s, over --memory and its allowance %s", mib(most), mib(bound))
	}
	// In the short form, three seconds, single ticks would decide.
	if !testing.Short() && after.load(before) > 0.05 {
		t.Errorf("%.1f%% of a core during the stall", 100*after.load(before))
	}
	relay.UpGate.Open()
	g.Exit(0)
	checkSession(t, file, feedtest.OnlySession(t, s.End()))
	if n := file.Duplicates(); n > 0 {
		t.Errorf("%d messages were processed twice", n)
	}
	if connections, _ := relay.Counts(); connections != 1 {
		t.Errorf("%d connections, want the one", connections)
	}
}

// stillFor is how long a gateway that can take no message has taken none. On a busy machine
// one that can may pause as well, but not for that long.
const stillFor = 3 * time.Second

// stalled waits until the gateway takes no more messages, and returns how many it has taken.
func stalled(t *testing.T, g *gateway) float64 {
	t.Helper()
	last, since := -1.0, time.Now()
	testkit.Eventually(t, "a stall", func() bool {
		time.Sleep(50 * time.Millisecond)
		if now := g.mustMetric("feedgate_messages_total"); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) >= stillFor
	})
	return last
}
