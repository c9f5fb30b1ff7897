package gateway

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// TestDrainWithSlowHandler: a slow worker gets no more messages than a drain can wait for, under
// both dispatch modes and for side messages. The drain counts those that no worker had.
func TestDrainWithSlowHandler(t *testing.T) {
	for _, c := range []struct{ name, dispatch string }{{"spread", "spread"}, {"key", "key"}, {"own", "spread"}, {"own, key", "key"}} {
		t.Run(c.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			handled := make(chan struct{}, 1<<20)
			cfg := testConfig(t, "tcp://"+ln.Addr().String(), func(worker.Message) worker.Code {
				time.Sleep(2 * time.Millisecond) // the work
				handled <- struct{}{}
				return worker.OK
			})
			cfg.Workers, cfg.DrainTimeout = 2, time.Second
			if cfg.Dispatch = c.dispatch; c.dispatch == "key" {
				cfg.Key = "field:1: "
			}
			r := startSide(t, cfg, func(m *wire.Msg) bool { return strings.HasPrefix(c.name, "own") && m.Seq%5 > 0 })
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			const sent = 5_000
			var feed []byte
			for i := range sent {
				feed = fmt.Appendf(feed, "%d message\n", i)
			}
			written := make(chan error, 1)
			go func() {
				_, err := conn.Write(feed)
				written <- err
			}()
			for range 300 {
				<-handled
			}
			// The gateway has read all messages; most of them are with no worker.
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			waitFor(t, func() bool { return r.g.Stats().ReadBytes.Load() == uint64(len(feed)) })
			r.cancel()
			if err := r.wait(); err != nil {
				t.Errorf("the drain: %v; unfinished: %v", err, errors.Is(err, ErrUnfinished))
			}
			totals := r.g.Stats().Totals()
			if totals.Messages+totals.Dropped != sent || totals.Dropped == 0 {
				t.Errorf("%d messages given to workers and %d dropped, want %d in all", totals.Messages, totals.Dropped, sent)
			}
		})
	}
}
