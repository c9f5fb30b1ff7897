package nsq

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	workerkit "feedgate/worker/testkit"

	"feedgate/gateway"
	"feedgate/worker"
)

// TestSinkStalls: a sink handles nothing for four times as long as nsqd tolerates a client that does
// not read, while far more bytes are queued than --memory and the kernel can hold. RDY is limited to
// what the gateway can store, so everything nsqd sends is still read.
func TestSinkStalls(t *testing.T) {
	t.Parallel()
	const count, size = 1500, 100_000
	d := startNsqd(t)
	publishAll(t, d, 1, count, size)
	var stall sync.Once
	var handled atomic.Int64
	g, err := gateway.New(gateway.Config{
		Protocol: testProtocol, Hosts: []string{d.TCP}, Workers: 2, ClientName: "full", Heartbeat: time.Second, IdleTimeout: gateway.NoTimeout,
		Sink: workerkit.ByCode(func(worker.Message) worker.Code {
			stall.Do(func() { time.Sleep(4 * time.Second) })
			handled.Add(1)
			return worker.OK
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, drain := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	checkDeliveredOnce(t, awaitFinished(t, d, count))
	if s := g.Stats(); handled.Load() != count || s.Reconnects.Load() != 0 {
		t.Errorf("%d messages handled, %d reconnects", handled.Load(), s.Reconnects.Load())
	}
	drain()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
