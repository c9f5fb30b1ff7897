package http

import (
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

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
			count := testkit.Form(100_000, 5_000_000)
			f := prepare(t, s, feed(t, count, feedserver.Config{Protocol: c.protocol}), c.args...)
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
	const count = 5000
	f := prepare(t, s, feed(t, count, feedserver.Config{}), "--in-flight=20")
	f.sink += "?linger=1h"
	f.run()
	// The last ones are fewer than 20, so they wait for an hour, or for the drain.
	testkit.Eventually(t, "all but the last messages", func() bool { return f.tap.Count() > count-20 })
	f.Stop()
	if s.late > 0 || s.twice > 0 {
		t.Errorf("%d messages out of order, %d stored again", s.late, s.twice)
	}
	t.Log(s)
}
