package discovery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/wire/nsq/nsqfake"
)

// TestServersChange: nsqds that one of the nsqlookupds lists get a gateway and their share of the
// RDY count, and lose both.
func TestServersChange(t *testing.T) {
	east, west := nsqfake.StartLookupd(t), nsqfake.StartLookupd(t)
	a, b := nsqfake.StartNSQD(t), nsqfake.StartNSQD(t)
	r := start(t, done(), asIs, east, west)
	r.until("word that there is none", func() bool {
		err := r.Ready()
		return err != nil && err.Error() == "nsq:///orders/archive: no nsqd has topic orders"
	})
	east.List(a.Addr())
	r.until("all of the RDY count for a", func() bool { return a.Ready() == 10 })
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
	if subs := a.Subscriptions(); !slices.Equal(subs, []string{"orders archive"}) {
		t.Errorf("subscriptions %q", subs)
	}
	west.List(b.Addr(), a.Addr())
	r.until("half for each", func() bool { return a.Ready() == 5 && b.Ready() == 5 })
	if got := r.addrs(); got != list(a.Addr(), b.Addr()) {
		t.Errorf("gateways %s", got)
	}

	b.Close()
	r.polled(west)
	if got := r.addrs(); got != list(a.Addr(), b.Addr()) {
		t.Errorf("gateways %s once one that is listed cannot be reached", got)
	}
	west.List()
	r.until("the end of b", func() bool { return r.addrs() == a.Addr() })
	r.until("all for a again", func() bool { return a.Ready() == 10 })
	r.drain()
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

// TestKeepsConnected: an open connection is kept although the nsqlookupd no longer lists its
// nsqd.
func TestKeepsConnected(t *testing.T) {
	l, a := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
	r := start(t, done(), asIs, l)
	l.List(a.Addr())
	r.until("a connection", func() bool { return a.Ready() == 10 })
	was := r.Gateways()[0]
	l.List()
	r.polled(l)
	if all := r.Gateways(); len(all) != 1 || all[0] != was || len(a.Subscriptions()) != 1 {
		t.Errorf("gateways %s, subscriptions %q", r.addrs(), a.Subscriptions())
	}
	a.Close()
	r.until("its end", func() bool { return r.addrs() == "" })
	if err := a.Open(); err != nil {
		t.Fatal(err)
	}
	l.List(a.Addr())
	r.until("another", func() bool { return a.Ready() == 10 })
}

// TestFailingLookupd: an nsqlookupd that fails removes neither its own nsqds nor those of others,
// and keeps none of others.
func TestFailingLookupd(t *testing.T) {
	east, west := nsqfake.StartLookupd(t), nsqfake.StartLookupd(t)
	a, b := nsqfake.StartNSQD(t), nsqfake.StartNSQD(t)
	east.List(a.Addr())
	west.List(b.Addr())
	r := start(t, done(), asIs, east, west)
	r.until("both", func() bool { return a.Ready() == 5 && b.Ready() == 5 })
	east.Fail(true)
	a.Close()
	b.Close()
	r.polled(west)
	if got := r.addrs(); got != list(a.Addr(), b.Addr()) {
		t.Errorf("gateways %s with one nsqlookupd failing", got)
	}
	west.List()
	r.until("the end of b", func() bool { return r.addrs() == a.Addr() })
	west.Fail(true)
	r.polled(west)
	if got := r.addrs(); got != a.Addr() {
		t.Errorf("gateways %s with all failing", got)
	}
	east.List()
	east.Fail(false)
	r.until("the end of a", func() bool { return r.addrs() == "" })
}

// TestPollsSoonerAfterFailure: the interval does not apply while no nsqlookupd answers.
func TestPollsSoonerAfterFailure(t *testing.T) {
	l, a := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
	l.Fail(true)
	l.List(a.Addr())
	r := start(t, done(), func(c *Config) { c.Interval = time.Hour }, l)
	r.until("some polls", func() bool { return l.Polls() > 3 })
	if err := r.Ready(); err == nil || err.Error() != "nsq:///orders/archive: no nsqlookupd has answered" {
		t.Errorf("ready: %v", err)
	}
	l.Fail(false)
	r.until("a connection", func() bool { return a.Ready() == 10 })
}

// TestPollsSoonerWithoutServers: nor before the topic exists.
func TestPollsSoonerWithoutServers(t *testing.T) {
	l, a := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
	r := start(t, done(), func(c *Config) { c.Interval = time.Hour }, l)
	r.until("some polls", func() bool { return l.Polls() > 3 })
	l.List(a.Addr())
	r.until("a connection", func() bool { return a.Ready() == 10 })
}

// TestPollsSoonerAfterLoss: nor after an nsqd has disappeared, even between two polls, because it
// may have moved. A stable group keeps to the interval.
func TestPollsSoonerAfterLoss(t *testing.T) {
	l := nsqfake.StartLookupd(t)
	a, b := nsqfake.StartNSQD(t), nsqfake.StartNSQD(t)
	l.List(a.Addr())
	r := start(t, done(), func(c *Config) { c.Interval = time.Hour }, l)
	r.until("a connection", func() bool { return a.Ready() == 10 })
	r.until("no polls", func() bool {
		n := l.Polls()
		time.Sleep(100 * time.Millisecond) // ten times the backoff at its longest
		return l.Polls() == n
	})
	a.Close()
	l.List(b.Addr())
	r.until("b in its place", func() bool { return b.Ready() == 10 && r.addrs() == b.Addr() })
}

// TestStable: the conditions under which the next poll can wait.
func TestStable(t *testing.T) {
	for _, c := range []struct {
		found string
		state memberState
		up    bool // a is connected
		want  bool
	}{
		{"", running, true, false},
		{"a:1", running, true, true},
		{"a:1", running, false, false},
		{"a:1", failed, false, true},
		{"a:1", leaving, false, false}, // the next poll starts another
		{"b:1", running, true, false},  // b is yet to be started
	} {
		f, err := New(named(t, "nsq:///t/c", "l:1"))
		if err != nil {
			t.Fatal(err)
		}
		cfg := f.settings.base
		cfg.Hosts = []string{"a:1"}
		gw, err := gateway.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		gw.Stats().Connected.Store(c.up)
		f.members["a:1"] = &member{addr: "a:1", gw: gw, state: c.state}
		if got := f.stable(strings.Fields(c.found)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestAbort ends a drain that waits for an nsqd.
func TestAbort(t *testing.T) {
	l, a := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
	a.IgnoreCLS()
	l.List(a.Addr())
	r := start(t, done(), func(c *Config) { c.Gateway.DrainTimeout = time.Hour }, l)
	r.until("a connection", func() bool { return a.Ready() == 10 })
	r.drain()
	r.Abort()
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

// TestExitOnClose: an nsqd that closes does not end the group.
func TestExitOnClose(t *testing.T) {
	l, a := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
	l.List(a.Addr())
	r := start(t, done(), func(c *Config) { c.Gateway.ExitOnClose = true }, l)
	r.until("a connection", func() bool { return a.Ready() == 10 })
	a.Close()
	if err := a.Open(); err != nil {
		t.Fatal(err)
	}
	r.until("another", func() bool { return len(a.Subscriptions()) > 1 && a.Ready() == 10 })
}
