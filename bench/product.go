package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"feedgate/bench/baselines"
	"feedgate/gateway"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/framed"
	wirensq "feedgate/gateway/wire/nsq"
	wirews "feedgate/gateway/wire/ws"
	"feedgate/worker"
	"feedgate/worker/credential"
)

// product is the gateway with the defaults of feedgate run.
func product(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	return runGateway(ctx, gateway.Config{Protocol: fg1.Protocol{}, Hosts: []string{addr}, Workers: workers}, work)
}

func productByKey(with setup) baselines.Func {
	return func(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
		return runGateway(ctx, gateway.Config{
			Protocol: fg1.Protocol{}, Hosts: []string{addr}, Workers: workers, Dispatch: "key", Key: with.key.selector,
		}, work)
	}
}

func productWS(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	protocol := wirews.Protocol{Framed: framed.Flags{AckTemplate: "A{n}"}}
	return runGateway(ctx, gateway.Config{Protocol: protocol, Hosts: []string{addr}, Workers: workers}, work)
}

func productTLS(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	trusted, err := credential.LoadTLS(gateway.TLSFlags, credential.Files{CA: os.Getenv(caVariable)})
	if err != nil {
		return baselines.Result{}, err
	}
	return runGateway(ctx, gateway.Config{Protocol: fg1.Protocol{}, Hosts: []string{addr}, Secure: true, Workers: workers, TLS: trusted}, work)
}

// productNSQ ends with its connection, because NSQ has no message for the end.
func productNSQ(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	protocol := wirensq.Protocol{Topic: "bench", Channel: "bench"}
	gw, err := newGateway(gateway.Config{Protocol: protocol, Hosts: []string{addr}, Workers: workers}, work)
	if err != nil {
		return baselines.Result{}, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- gw.Run(running) }()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return baselines.Result{}, fmt.Errorf("gateway: %w", err)
			}
			return baselines.Result{Messages: gw.Stats().Messages.Load()}, nil
		case <-ticker.C:
			if gw.Stats().Reconnects.Load() > 0 {
				stop()
			}
		}
	}
}

// pollInterval is how often a client checks whether its connection has ended.
const pollInterval = 10 * time.Millisecond

func limitTLS(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	ca, err := os.ReadFile(os.Getenv(caVariable))
	if err != nil {
		return baselines.Result{}, err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(ca) {
		return baselines.Result{}, errors.New("no certificate to trust")
	}
	return baselines.LimitTLS(&tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12})(ctx, addr, workers, work)
}

// gateway32 is the gateway of the original design: up to 32 messages per sendmmsg, with one ack each.
func gateway32(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	return runGateway(ctx, gateway.Config{Protocol: fg1.Protocol{}, Hosts: []string{addr}, Workers: workers, FlushMax: 32, FlushPack: 1}, work)
}

func runGateway(ctx context.Context, cfg gateway.Config, work func(msg []byte)) (baselines.Result, error) {
	cfg.ExitOnClose = true
	gw, err := newGateway(cfg, work)
	if err != nil {
		return baselines.Result{}, err
	}
	return runToClose(ctx, gw)
}

// newGateway makes a gateway whose handler calls work.
func newGateway(cfg gateway.Config, work func(msg []byte)) (*gateway.Gateway, error) {
	cfg.DataOnly = true
	cfg.Sink = worker.Each(func(_ context.Context, m worker.Message) error {
		work(m.Data)
		return nil
	})
	return gateway.New(common(cfg))
}

// common sets what all gateways have in common.
func common(cfg gateway.Config) gateway.Config {
	cfg.ClientName = "feedgate"
	cfg.Log = silent
	return cfg
}

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// runToClose runs a gateway with ExitOnClose.
func runToClose(ctx context.Context, gw *gateway.Gateway) (baselines.Result, error) {
	if err := gw.Run(ctx); err != nil {
		return baselines.Result{}, fmt.Errorf("gateway: %w", err)
	}
	if ctx.Err() != nil {
		return baselines.Result{}, errors.Join(ctx.Err(), errors.New("gateway: ended before the feed did"))
	}
	return baselines.Result{Messages: gw.Stats().Messages.Load()}, nil
}
