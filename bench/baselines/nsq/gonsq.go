package nsq

import (
	"context"
	"fmt"
	"io"
	"log"
	"runtime/debug"
	"sync/atomic"
	"time"

	gonsq "github.com/nsqio/go-nsq"

	"feedgate/bench/baselines"
)

const (
	// maxInFlight is nsqd's default for the maximum RDY count.
	maxInFlight = 2500
	// pollConnection is how often the connection is checked, because the library does not report its end.
	pollConnection = 10 * time.Millisecond
	// reconnect is how long the library waits before it reconnects. The address is removed from it
	// before that, but its goroutine sleeps for this long.
	reconnect = 200 * time.Millisecond

	// Of GoNSQTuned: the largest buffer and the shortest delay that nsqd allows.
	tunedBuffer = 64 << 10
	tunedDelay  = 25 * time.Millisecond
	tunedGC     = 800
)

// GoNSQ is a consumer as documented by github.com/nsqio/go-nsq.
func GoNSQ(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	return consume(ctx, config(), addr, workers, work)
}

// GoNSQTuned is GoNSQ with a larger output buffer in nsqd, which is flushed sooner, and a garbage
// collector that runs less often, because every message is allocated.
func GoNSQTuned(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	cfg := config()
	cfg.OutputBufferSize, cfg.OutputBufferTimeout = tunedBuffer, tunedDelay
	defer debug.SetGCPercent(debug.SetGCPercent(tunedGC))
	return consume(ctx, cfg, addr, workers, work)
}

func config() *gonsq.Config {
	cfg := gonsq.NewConfig()
	cfg.MaxInFlight = maxInFlight
	cfg.LookupdPollInterval = reconnect
	return cfg
}

func consume(ctx context.Context, cfg *gonsq.Config, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	consumer, err := gonsq.NewConsumer(name, name, cfg)
	if err != nil {
		return baselines.Result{}, fmt.Errorf("go-nsq: %w", err)
	}
	consumer.SetLogger(log.New(io.Discard, "", 0), gonsq.LogLevelError)
	var messages, bytes atomic.Uint64
	consumer.AddConcurrentHandlers(gonsq.HandlerFunc(func(m *gonsq.Message) error {
		work(m.Body)
		messages.Add(1)
		bytes.Add(uint64(len(m.Body)))
		return nil
	}), workers)
	if err = consumer.ConnectToNSQD(addr); err == nil {
		err = await(ctx, consumer)
		_ = consumer.DisconnectFromNSQD(addr) // otherwise it would reconnect
	}
	consumer.Stop()
	<-consumer.StopChan
	if err != nil {
		return baselines.Result{}, fmt.Errorf("go-nsq: %w", err)
	}
	return baselines.Result{Messages: messages.Load(), Bytes: bytes.Load()}, nil
}

// await waits until the connection has ended. The library ends it when the last message is finished.
func await(ctx context.Context, consumer *gonsq.Consumer) error {
	ticker := time.NewTicker(pollConnection)
	defer ticker.Stop()
	for consumer.Stats().Connections > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
