package discovery

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire/nsq/nsqfake"
	"feedgate/worker"
	"feedgate/worker/testkit"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout is how long a test waits before it fails.
const timeout = 20 * time.Second

// run is a group that runs until the test ends.
type run struct {
	*Group
	t     *testing.T
	drain context.CancelFunc
	ended chan error // takes Run's error
}

// start starts a group that polls the nsqlookupds often.
func start(t *testing.T, sink worker.Sink, change func(*Config), lookupds ...*nsqfake.Lookupd) *run {
	t.Helper()
	var addrs []string
	for _, l := range lookupds {
		addrs = append(addrs, l.Addr())
	}
	cfg := named(t, "nsq:///orders/archive", addrs...)
	cfg.Interval = 20 * time.Millisecond
	gw := &cfg.Gateway
	gw.Workers, gw.InFlight, gw.Sink = 1, 10, sink
	gw.ReconnectMin, gw.ReconnectMax = time.Millisecond, 10*time.Millisecond
	gw.Log = testkit.Logger(t)
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
		case <-time.After(timeout):
			t.Error("the group does not end")
		}
	})
	return r
}

func asIs(*Config) {}

// done is a sink that completes every message.
func done() worker.Sink { return testkit.ByCode(func(worker.Message) worker.Code { return worker.OK }) }

// until waits until cond is true.
func (r *run) until(what string, cond func() bool) {
	r.t.Helper()
	testkit.Eventually(r.t, what, cond)
}

// polled waits until l was polled and the group has acted on the result: a poll begins when the
// result of the previous one has been delivered.
func (r *run) polled(l *nsqfake.Lookupd) {
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
	case <-time.After(timeout):
		r.t.Fatalf("the group does not end within %v", timeout)
		return nil
	}
}

// addrs returns the nsqds whose gateways the group reports.
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
