package nsq

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	workerkit "feedgate/worker/testkit"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway"
	"feedgate/worker"
)

// TestBacklog: the messages in flight take the handlers about three times nsqd's timeout. Because
// RDY is no more than the rings hold, all of them are read, so all are touched, and each is
// delivered once. The test outlasts the 5 s after which nsqd first looks for timeouts.
func TestBacklog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*gateway.Config)
		busy   int // workers that get messages
	}{
		{"one key", func(cfg *gateway.Config) { cfg.Workers, cfg.Dispatch, cfg.Key = 8, "key", "bytes:0:1" }, 1},
		{"short rings", func(cfg *gateway.Config) { cfg.Workers, cfg.Ring = 2, 64 }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			backlog(t, c.change, c.busy)
		})
	}
}

func backlog(t *testing.T, change func(*gateway.Config), busy int) {
	const timeout, count = 1800 * time.Millisecond, 3000 // more than the RDY count
	rounds := testkit.Form[uint64](1, 3)
	d := startNsqd(t, "--msg-timeout="+timeout.String())
	publishAll(t, d, 1, rounds*count, digits)
	var handled atomic.Uint64
	takes := time.Duration(busy) * 3 * timeout / count
	cfg := gateway.Config{
		Protocol: testProtocol, Hosts: []string{d.TCP}, ClientName: "backlog",
		Sink: workerkit.ByCode(func(worker.Message) worker.Code {
			time.Sleep(takes)
			handled.Add(1)
			return worker.OK
		}),
	}
	change(&cfg)
	g, err := gateway.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, drain := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	channel := awaitFinished(t, d, rounds*count)
	checkDeliveredOnce(t, channel)
	if len(channel.Clients) != 1 || channel.Clients[0].Finished != rounds*count || handled.Load() != rounds*count {
		t.Errorf("clients %+v, want one that has finished %d; %d handled", channel.Clients, rounds*count, handled.Load())
	}
	drain()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
