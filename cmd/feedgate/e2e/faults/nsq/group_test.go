package nsq

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/nsqtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway"
	"feedgate/gateway/discovery"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/nsq/nsqlookup"
	"feedgate/worker/sink"
	"feedgate/worker/sink/file"
)

// TestFound: the gateway finds every nsqd that has the topic.
func TestFound(t *testing.T) {
	t.Parallel()
	const nsqds = 3
	count := testkit.Form[uint64](10_000, 100_000)
	lookupd, l := nsqtest.StartLookupd(t), newLedger(t)
	var all []*nsqtest.Nsqd
	for i := range uint64(nsqds) {
		d := startNsqd(t, lookupd.Flag())
		publishAll(t, d, i*count+1, (i+1)*count, digits)
		all = append(all, d)
	}
	lookupd.Await(topic, nsqds)
	g := start(t, nsqURL(""), "--nsqlookupd="+lookupd.HTTP, l.Flag(), "--workers=1", "--in-flight=100")
	for _, d := range all {
		c := awaitFinished(t, d, count)
		checkDeliveredOnce(t, c)
		if len(c.Clients) != 1 || c.Clients[0].Ready != 100/nsqds {
			t.Errorf("clients %+v, want one with RDY %d", c.Clients, 100/nsqds)
		}
	}
	l.CheckComplete(nsqds * count)
	g.Stop()
}

// TestGroup: nsqds appear and disappear under load. RDY is divided among those that run, and nothing
// is lost.
func TestGroup(t *testing.T) {
	t.Parallel()
	const inFlight, apart = 36, 1_000_000
	lookupd, l := nsqtest.StartLookupd(t), newLedger(t)
	nsqd := func() *nsqtest.Nsqd { return startNsqd(t, lookupd.Flag(), "--msg-timeout=1s") }
	first, second, idle := nsqd(), nsqd(), nsqd()
	lookupd.Await(topic, 3)
	f := startGroup(t, l, lookupd.HTTP, inFlight)
	sources := []*source{publish(t, first), publishFrom(t, second, apart)}
	awaitShares(t, inFlight, first, second, idle)

	third := nsqd()
	sources = append(sources, publishFrom(t, third, 2*apart))
	awaitShares(t, inFlight, first, second, third, idle)

	for range testkit.Form(1, 5) {
		idle.Kill() // it has no messages to lose
		awaitShares(t, inFlight, first, second, third)
		first.Stop()
		awaitShares(t, inFlight, second, third)
		idle.Start()
		awaitShares(t, inFlight, second, third, idle)
		first.Start()
		awaitShares(t, inFlight, first, second, third, idle)
	}

	// Without nsqlookupd, and then with one that has no registrations, all stay in use.
	lookupd.Kill()
	awaitMore(t, l, 1000)
	lookupd.Start()
	awaitMore(t, l, 1000)
	awaitShares(t, inFlight, first, second, third, idle)

	for _, s := range sources {
		last := s.finish()
		await(t, s.d, "nothing left", func(c nsqtest.Channel) bool { return c.Unfinished() == 0 })
		l.Read()
		for n := s.base + 1; n <= s.base+last; n++ {
			if l.Count(n) == 0 {
				t.Fatalf("LOST: message %d of the nsqd whose first message is %d", n-s.base, s.base+1)
			}
		}
	}
	f.stop()
	for _, d := range []*nsqtest.Nsqd{first, second, third, idle} {
		if c := channelStats(t, d); c.Unfinished() != 0 {
			t.Errorf("left in nsqd: %+v", c)
		}
	}
}

// awaitShares waits until each nsqd has one client with its share of RDY.
func awaitShares(t *testing.T, inFlight int, nsqds ...*nsqtest.Nsqd) {
	t.Helper()
	want := inFlight / len(nsqds)
	for _, d := range nsqds {
		await(t, d, "its share of RDY", func(c nsqtest.Channel) bool { return len(c.Clients) == 1 && c.Clients[0].Ready == want })
	}
}

// runningGroup is a discovery group in the test's process, where its interval can be short.
type runningGroup struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // set before ended is closed
	once   sync.Once
}

func startGroup(t *testing.T, l *testkit.Ledger, lookupd string, inFlight int) *runningGroup {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	out, err := sink.Registry{file.Kind}.Open("file:"+l.Path, sink.Config{
		Flag: "--sink", Log: log, ReconnectMin: 5 * time.Millisecond, ReconnectMax: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	lookup := nsqlookup.Config{Addrs: []string{lookupd}, Topic: topic}
	f, err := discovery.New(discovery.Config{
		Gateway: gateway.Config{
			URL: nsqURL(""), Protocol: testProtocol, Workers: 1, InFlight: inFlight, Sink: out, Log: log,
			ReconnectMin: 5 * time.Millisecond, ReconnectMax: 100 * time.Millisecond,
		},
		Discover: func(c wire.DiscoveryConfig) (wire.Discoverer, error) {
			lookup.Timeout, lookup.Log = c.Timeout, c.Log
			return nsqlookup.New(lookup)
		},
		Interval: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningGroup{t: t, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.err = f.Run(ctx)
	}()
	t.Cleanup(func() {
		r.stop()
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// stop drains the group. Only the first call has an effect.
func (r *runningGroup) stop() {
	r.once.Do(func() {
		r.cancel()
		select {
		case <-r.ended:
			if r.err != nil {
				r.t.Errorf("group: %v", r.err)
			}
		case <-time.After(testkit.Patience):
			r.t.Errorf("the group does not end")
		}
	})
}
