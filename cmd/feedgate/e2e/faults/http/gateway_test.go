package http

import (
	"testing"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// flow is a feed, a gateway and a server.
type flow struct {
	t      *testing.T
	source *feedtest.Source
	tap    *feedtest.Tap
	relay  *testkit.Relay
	server *server
	*testkit.Process

	sink string // its URL
	args []string
}

// rate is in messages per second, and low, so that the backlog stays small.
const rate = 20_000

// feed starts a feed of up to n messages.
func feed(t *testing.T, n int, cfg feedserver.Config) *feedtest.Source {
	t.Helper()
	return feedtest.Serve(t, "keyed", n, line, cfg)
}

// endless starts a feed that [flow.end] ends.
func endless(t *testing.T) *feedtest.Source {
	t.Helper()
	return feed(t, testkit.Form(600_000, 3_000_000), feedserver.Config{Count: feedserver.Endless, Rate: rate})
}

// begin starts a flow that is endless, by key, with 4 workers. args override those.
func begin(t *testing.T, s *server, args ...string) *flow {
	t.Helper()
	f := prepare(t, s, endless(t), args...)
	f.run()
	s.awaitMore(1)
	return f
}

// prepare is begin with another feed, and without a gateway.
func prepare(t *testing.T, s *server, source *feedtest.Source, args ...string) *flow {
	t.Helper()
	f := &flow{t: t, server: s, sink: s.url(), source: source, tap: feedtest.NewTap(t)}
	f.tap.OnAck = func(seq uint64) {
		if !s.refuses && !s.has(seq) {
			t.Errorf("ACKED BEFORE STORED: message %d", seq)
		}
	}
	f.relay = testkit.StartRelay(t, source.Address(), testkit.RelayOptions{Observe: f.tap.Observe})
	f.args = append([]string{"--workers=4", "--dispatch=key", "--key=" + keySelector, "--in-flight=4000"}, args...)
	return f
}

// run starts a gateway.
func (f *flow) run() {
	f.t.Helper()
	f.Process = testkit.Start(f.t, testkit.Launch{Admin: true, Args: append([]string{"fg://" + f.relay.Addr(), "--sink=" + f.sink}, f.args...)})
}

// end ends the feed and the gateway, and checks that the server has every message, each key in order,
// and that each was acked once per connection and none refused.
func (f *flow) end() feedserver.Counts {
	f.t.Helper()
	f.WaitReady() // a feed that ends lets nobody in; a late request of a killed gateway may be all that the test has seen
	c := feedtest.OnlySession(f.t, f.source.Finish())
	f.Stop()
	f.server.check(c.Sent, 0)
	if c.Missing+c.Unsent+c.Refused+c.Duplicate+c.Unknown+c.Early+c.ProtocolErrors != 0 {
		f.t.Errorf("the feed has %+v", c)
	}
	f.t.Log(f.server)
	return c
}
