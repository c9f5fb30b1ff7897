package fleet

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/fleet/fleettest"
	"feedgate/worker"
	"feedgate/worker/testkit"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come soon, before it calls it a fault.
const patience = 20 * time.Second

// run is a fleet that runs until the test ends.
type run struct {
	*Fleet
	t     *testing.T
	drain context.CancelFunc
	ended chan error // takes Run's error
}

// start starts a fleet that polls the nsqlookupds often.
func start(t *testing.T, sink worker.Sink, change func(*Config), lookupds ...*fleettest.Lookupd) *run {
	t.Helper()
	cfg := Config{
		Gateway: gateway.Config{
			URL: "nsq:///orders/archive", Workers: 1, InFlight: 10, Sink: sink,
			ReconnectMin: time.Millisecond, ReconnectMax: 10 * time.Millisecond,
			Log: testkit.Logger(t),
		},
		Interval: 20 * time.Millisecond,
	}
	for _, l := range lookupds {
		cfg.Lookupd = append(cfg.Lookupd, l.Addr())
	}
	change(&cfg)
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{f, t, cancel, make(chan error, 1)}
	go func() { r.ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		f.Abort()
		select {
		case <-r.ended:
		case <-time.After(patience):
			t.Error("the fleet does not end")
		}
	})
	return r
}

func asIs(*Config) {}

// done is a sink that is done with everything.
func done() worker.Sink { return worker.Each(func(worker.Message) worker.Code { return worker.OK }) }

// until waits until cond is true.
func (r *run) until(what string, cond func() bool) {
	r.t.Helper()
	testkit.Eventually(r.t, what, cond)
}

// polled waits until l was polled and what it said has been acted on: a poll begins when
// what the one before it brought was passed on.
func (r *run) polled(l *fleettest.Lookupd) {
	r.t.Helper()
	n := l.Polls()
	r.until("three polls", func() bool { return l.Polls() >= n+3 })
}

// end waits for the error of Run.
func (r *run) end() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- nil
		return err
	case <-time.After(patience):
		r.t.Fatalf("the fleet does not end within %v", patience)
		return nil
	}
}

// addrs are the nsqds whose gateways the fleet shows.
func (r *run) addrs() string {
	var all []string
	for _, gw := range r.Gateways() {
		addr, _ := strings.CutPrefix(gw.URL(), "nsq://")
		addr, found := strings.CutSuffix(addr, "/orders/archive")
		if !found {
			r.t.Errorf("a gateway of URL %s", gw.URL())
		}
		all = append(all, addr)
	}
	return strings.Join(all, " ")
}

func list(addrs ...string) string { return strings.Join(slices.Sorted(slices.Values(addrs)), " ") }
