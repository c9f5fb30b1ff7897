package discovery

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/wire/nsq/nsqfake"
	"feedgate/worker"
)

// TestFailedGateway: a permanently failed gateway is restarted by a poll that lists its nsqd. Its
// failure counts until then, or until the nsqd is no longer listed.
func TestFailedGateway(t *testing.T) {
	for _, then := range []string{"heals", "goes", "stays"} {
		l, a, b := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t), nsqfake.StartNSQD(t)
		l.List(a.Addr())
		r := start(t, done(), asIs, l)
		r.until("a connection", func() bool { return a.Ready() == 10 })
		b.Refuse(true)
		l.List(a.Addr(), b.Addr())
		r.until("several tries", func() bool { return len(b.Subscriptions()) > 2 })
		if a.Ready() == 0 {
			t.Error("the other is not connected any more")
		}
		switch then {
		case "heals":
			b.Refuse(false)
			r.until("half for each", func() bool { return a.Ready() == 5 && b.Ready() == 5 })
		case "goes":
			l.List(a.Addr())
			r.until("its end", func() bool { return r.addrs() == a.Addr() })
		case "stays":
			// While it is connecting it has not failed, so it is not restarted.
			l.Fail(true)
			r.polled(l)
			r.until("a failure", func() bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				return r.members[b.Addr()].state == failed
			})
		}
		r.drain()
		err := r.end()
		if fails := then == "stays"; (err != nil) != fails || fails && !strings.HasPrefix(err.Error(), "nsq://"+b.Addr()+"/orders/archive: ") {
			t.Errorf("it %s: %v", then, err)
		}
	}
}

// TestAllFailed: a group whose gateways have all failed ends.
func TestAllFailed(t *testing.T) {
	l, a := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
	a.Refuse(true)
	l.List(a.Addr())
	r := start(t, done(), func(c *Config) { c.Interval = time.Hour }, l)
	if err := r.end(); err == nil || !strings.HasPrefix(err.Error(), "nsq://"+a.Addr()) {
		t.Errorf("ended with %v", err)
	}
}

// failing is a sink that can be made to fail.
type failing struct {
	worker.Sink
	failed chan struct{}
}

func (s failing) Failed() <-chan struct{} { return s.failed }

func (s failing) Err() error {
	select {
	case <-s.failed:
		return errors.New("no reader")
	default:
		return nil
	}
}

// TestSinkFails: if the sink fails, no gateway is restarted or waited for.
func TestSinkFails(t *testing.T) {
	for _, connected := range []bool{true, false} {
		l, a := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
		sink := failing{done(), make(chan struct{})}
		r := start(t, sink, asIs, l)
		if connected {
			l.List(a.Addr())
			r.until("a connection", func() bool { return a.Ready() == 10 })
		}
		close(sink.failed)
		if err := r.end(); err == nil || !strings.Contains(err.Error(), "--sink: no reader") {
			t.Errorf("connected %v: ended with %v", connected, err)
		}
	}
}

// TestRemovedWithWork: messages left unfinished for a removed nsqd are no failure, unlike those
// left by a drain of the group.
func TestRemovedWithWork(t *testing.T) {
	for state, fails := range map[memberState]bool{leaving: false, running: true} {
		f, err := New(named(t, "nsq:///t/c", "a:1"))
		if err != nil {
			t.Fatal(err)
		}
		cfg := f.settings.base
		cfg.Hosts = []string{"b:1"}
		gw, err := gateway.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m := &member{addr: "b:1", gw: gw, state: state, err: fmt.Errorf("%w: 1 unfinished", gateway.ErrUnfinished)}
		f.members[m.addr] = m
		if shown := len(f.Gateways()) == 1; shown != fails {
			t.Errorf("state %d: shown is %v", state, shown)
		}
		f.memberEnded(m)
		if err := f.err(); (err != nil) != fails || f.allFailed() != fails {
			t.Errorf("state %d: %v", state, err)
		}
	}
}

// TestRefusedAfterLogin: an nsqd that accepted our login once, restarts, and then refuses the
// secret, for example because its authority is down, does not end the group.
func TestRefusedAfterLogin(t *testing.T) {
	l, a := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
	l.List(a.Addr())
	r := start(t, done(), asIs, l)
	r.until("a connection", func() bool { return a.Ready() == 10 })
	a.Close()
	l.List()
	r.until("its end", func() bool { return r.addrs() == "" })
	a.Refuse(true)
	if err := a.Open(); err != nil {
		t.Fatal(err)
	}
	before := len(a.Subscriptions())
	l.List(a.Addr())
	r.until("three refusals", func() bool { return len(a.Subscriptions()) >= before+3 })
	a.Refuse(false)
	r.until("a connection again", func() bool { return a.Ready() == 10 })
	r.drain()
	if err := r.end(); err != nil {
		t.Error(err)
	}
}
