package http

import (
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// once is the configuration of a feed that sends each message once.
func once() feedserver.Config { return feedserver.Config{} }

// TestFeeds: FG/1 and lines, by key and in turn. Nothing is acked before the server has answered, and in
// the end it has every message once.
func TestFeeds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		protocol string
		args     []string
	}{
		"fg by key":   {"fg", nil},
		"fg in turn":  {"fg", []string{"--dispatch=spread", "--key="}},
		"line by key": {"line", []string{"--frame=line", `--ack-template=A{n}\n`}},
	} {
		t.Run(name, func(t *testing.T) {
			held := newPause(t)
			s := serve(t, func(request) fault { return fault{wait: held} })
			f := prepare(t, s, once(), c.args...)
			count := testkit.Form(100_000, 5_000_000)
			f.source = feedtest.Serve(t, "keyed", count, line, feedserver.Config{Protocol: c.protocol})
			f.Process = testkit.Start(t, testkit.Launch{Args: append([]string{
				map[string]string{"fg": "fg://", "line": "tcp://"}[c.protocol] + f.source.Address(), "--sink=" + s.url(), "--exit-on-close"}, f.args...)})
			s.awaitMore(1)
			if c := f.source.Report().Total; c.Acknowledged > 0 || c.Sent == 0 {
				t.Errorf("%d acks before the first answer, of %d messages", c.Acknowledged, c.Sent)
			}
			held.stop()
			begun := time.Now()
			counts := feedtest.OnlySession(t, f.source.End())
			took := time.Since(begun)
			f.Exit(0)
			if name == "fg in turn" {
				s.late = 0 // workers overtake each other
			}
			s.check(uint64(count), 0)
			if counts.Missing+counts.Refused+counts.Duplicate+counts.Unknown+counts.Early > 0 || s.twice > 0 {
				t.Errorf("%d stored again; %+v", s.twice, counts)
			}
			t.Logf("%d messages in %v; %v", count, took, s)
		})
	}
}

// TestSmallWindow: with an upstream that allows 20 messages in flight, nothing waits for a timer, not even
// that of linger.
func TestSmallWindow(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	f := prepare(t, s, once(), "--in-flight=20")
	f.sink += "?linger=1h"
	const count = 5000
	f.source = feedtest.Serve(t, "keyed", count, line, feedserver.Config{})
	f.relay = testkit.StartRelay(t, f.source.Address(), testkit.RelayOptions{Observe: f.tap.Observe})
	f.run()
	// The last ones are fewer than 20, so they wait until the drain.
	testkit.Eventually(t, "all but the last messages", func() bool { return f.tap.Count() > count-20 })
	f.Stop()
	s.check(count, 0)
	t.Log(s)
}
