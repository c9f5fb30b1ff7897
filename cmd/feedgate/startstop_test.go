package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"feedgate/worker/testkit"

	"feedgate/gateway"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// TestHurried: the channel is closed at the second signal or at the end of the drain's time, and at no
// other event.
func TestHurried(t *testing.T) {
	const drain = 10 * time.Second
	for name, c := range map[string]struct {
		stop, abort bool
		after       time.Duration // from the start; 0: never closed
	}{
		"running":       {},
		"first signal":  {stop: true, after: drain},
		"second signal": {stop: true, abort: true, after: time.Second},
		"abort alone":   {abort: true, after: time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			abort := make(chan struct{})
			hurry, release := hurried(ctx, abort, drain)
			defer release()
			began := time.Now()
			if c.stop {
				cancel()
			}
			if c.abort {
				time.AfterFunc(time.Second, func() { close(abort) })
			}
			after := time.Duration(0)
			select {
			case <-hurry:
				after = time.Since(began)
			case <-time.After(time.Hour):
			}
			if after != c.after {
				t.Errorf("%s: closed after %v, want %v", name, after, c.after)
			}
		})
	}
}

// TestUnfinished: the error of a stop that is held up names everything that has not ended, and nothing
// else.
func TestUnfinished(t *testing.T) {
	u := &upstreams{}
	for _, label := range []string{"a", "b", "c"} {
		gw, err := gateway.New(gateway.Config{
			Protocol: fg1.Protocol{}, Hosts: []string{"h:1"}, Label: label, Workers: 1,
			Sink: testkit.ByCode(func(worker.Message) worker.Code { return worker.OK }),
		})
		if err != nil {
			t.Fatal(err)
		}
		u.gateways = append(u.gateways, gw)
	}
	const inFlight = "messages are left: 0 in flight; a handler, a sink or a disk did not return in time"
	check := func(want string) {
		t.Helper()
		if got := u.unfinished(); got == nil || got.Error() != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
	u.ending.init(3)
	u.ending.ended(0, nil)
	check("b: " + inFlight + "\nc: " + inFlight)
	u.ending.ended(1, errors.New("b: refused"))
	check("b: refused\nc: " + inFlight)
	u.ending.ended(2, nil)
	check("b: refused")
	u.ending.ended(1, nil)
	check("did not end in time")
	u.ending.startClosing("--sink")
	check("--sink: did not close in time")
}
