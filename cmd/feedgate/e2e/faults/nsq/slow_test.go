package nsq

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	workerkit "feedgate/worker/testkit"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway"
	"feedgate/worker"
)

// TestSlow: while the handler of one message is busy, the other worker processes many times the
// messages that may be in flight.
func TestSlow(t *testing.T) {
	t.Parallel()
	const count, slow, meanwhile = 60_000, 10_000, 40_000
	d := startNsqd(t)
	publishAll(t, d, 1, count, digits)
	var begun atomic.Bool
	var others atomic.Int64
	goOn := make(chan struct{})
	g, err := gateway.New(gateway.Config{
		Protocol: testProtocol, Hosts: []string{d.TCP}, Workers: 2, ClientName: "slow",
		Sink: workerkit.ByCode(func(m worker.Message) worker.Code {
			if n, _ := strconv.Atoi(string(m.Data)); n == slow {
				begun.Store(true)
				<-goOn
			} else if begun.Load() {
				others.Add(1)
			}
			return worker.OK
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, drain := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	testkit.Eventually(t, "the others", func() bool { return others.Load() >= meanwhile })
	if c := channelStats(t, d); c.InFlight == 0 {
		t.Errorf("channel %+v", c)
	}
	close(goOn)
	checkDeliveredOnce(t, awaitFinished(t, d, count))
	drain()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
