package kafka

import (
	"context"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// watchEvery is how often an idle client asks whether a broker can be reached.
const watchEvery = 5 * time.Second

// hooks tells watch that a connection has ended.
type hooks struct{ lost chan struct{} }

// OnBrokerDisconnect implements [kgo.HookBrokerDisconnect].
func (h hooks) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) {
	select {
	case h.lost <- struct{}{}:
	default:
	}
}

// watch finds out whether a broker can be reached while there are no messages, so that the sink is
// not ready if none can. It looks every watchEvery, and when a connection ends. While messages are
// being sent, Send reports what is wrong.
func (c *client) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.lost:
		}
		pause := c.common.NewBackoff()
		for !c.sending.Load() && !c.ping(ctx) {
			if !c.sleep(ctx, pause.NextBackOff()) {
				return
			}
		}
	}
}

// ping reports whether a broker can be reached, or ctx has ended.
func (c *client) ping(ctx context.Context) bool {
	limited, cancel := context.WithTimeout(ctx, c.common.ConnectTimeout)
	defer cancel()
	err := c.kafka.Ping(limited)
	switch {
	case ctx.Err() != nil:
		return true
	case err != nil:
		c.down.Store(true)
		c.sink.SetDown(c.worker, c.explain(err))
		return false
	}
	if c.down.Swap(false) {
		c.sink.SetDown(c.worker, nil)
	}
	return true
}
