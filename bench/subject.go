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
	"feedgate/bench/baselines/nsq"
	"feedgate/bench/baselines/ws"
	"feedgate/gateway"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/framed"
	wirensq "feedgate/gateway/wire/nsq"
	wirews "feedgate/gateway/wire/ws"
	"feedgate/worker"
	"feedgate/worker/credential"
)

// Subject is a client to be measured. Exactly one of Run, byKey and Program is set.
type Subject struct {
	Name     string
	Doc      string // one line: what it is, and which question it answers
	Protocol string // of the feed
	Default  bool   // measured if the user names no subjects
	// Control marks a client with a deliberate fault, for tests of the harness.
	Control bool

	// Run is the client, run in a process of its own.
	Run baselines.Func
	// byKey returns the client that distributes messages by a key of that form.
	byKey func(*keyForm) baselines.Func
	// Program is the name of an executable in the harness's directory with the flags and the
	// standard streams of [clientMain].
	Program string
}

// Subjects are all subjects, in the order of a table.
var Subjects = []Subject{
	{Name: "limit", Protocol: "fg", Default: true, Run: baselines.Limit,
		Doc: "bulk receive, no parsing, all acks in bulk: the upper bound set by kernel and feed"},
	{Name: "inline", Protocol: "fg", Default: true, Run: baselines.Inline,
		Doc: "one goroutine parses and acks in place, one send per read: the cost of having workers at all"},
	{Name: "naive", Protocol: "fg", Default: true, Run: baselines.Naive,
		Doc: "one goroutine per worker on one channel, one write per ack: the first thing one writes"},
	{Name: "channels", Protocol: "fg", Default: true, Run: baselines.Channels,
		Doc: "bufio, a channel per worker, a writer that combines acks: what an experienced Go programmer writes"},
	{Name: "batches", Protocol: "fg", Default: true, Run: baselines.Batches,
		Doc: "one channel send per read, acks over messages, writev: what one writes after profiling that"},
	{Name: "gnet-async", Protocol: "fg", Run: baselines.GnetAsync,
		Doc: "a gnet client, a channel per worker, one AsyncWrite per ack: gnet as its examples use it"},
	{Name: "gnet-loop", Protocol: "fg", Default: true, Run: baselines.GnetLoop,
		Doc: "a gnet client that does all work on its loop: what gnet can do without workers"},
	{Name: "seed-32", Protocol: "fg", Default: true, Run: gateway32,
		Doc: "feedgate with one ack in each message of a sendmmsg: what packing acks is worth"},
	{Name: "asio", Protocol: "fg", Program: "feedgate-asio",
		Doc: "C++17, Boost.Asio, boost::lockfree::spsc_queue, one post per ack (make baselines): the same idea with a library's loop"},
	{Name: productName, Protocol: "fg", Default: true, Run: product,
		Doc: "the product, with the defaults of feedgate run"},

	{Name: "channels-key", Protocol: "fg",
		byKey: func(f *keyForm) baselines.Func { return baselines.ChannelsByKey(f.find) },
		Doc:   "channels with order by key (--keys): a hash of the key picks the channel"},
	{Name: "feedgate-key", Protocol: "fg", byKey: productByKey,
		Doc: "the product with --dispatch key (--keys)"},

	{Name: "ws-gws", Protocol: "ws", Run: ws.GWS,
		Doc: "WebSocket: a gws client, a channel per worker"},
	{Name: "ws-coder", Protocol: "ws", Run: ws.Coder,
		Doc: "WebSocket: a coder/websocket client, a channel per worker"},
	{Name: "ws-feedgate", Protocol: "ws", Run: productWS,
		Doc: "WebSocket: the product, acks A{n}"},
	{Name: "tls-limit", Protocol: "fg+tls", Run: limitTLS,
		Doc: "TLS: limit over a tls.Conn, a bare loop of reads"},
	{Name: "tls-feedgate", Protocol: "fg+tls", Run: productTLS,
		Doc: "TLS: the product"},

	{Name: "nsq-go-nsq", Protocol: queued, Run: nsq.GoNSQ,
		Doc: "NSQ: a go-nsq consumer with a handler per worker, 2500 in flight"},
	{Name: "nsq-go-nsq-tuned", Protocol: queued, Run: nsq.GoNSQTuned,
		Doc: "NSQ: the same with nsqd's largest output buffer and GOGC=800: what go-nsq's settings can do"},
	{Name: "nsq-inline", Protocol: queued, Run: nsq.Inline,
		Doc: "NSQ: one goroutine parses and finishes in place, one send per read"},
	{Name: "nsq-feedgate", Protocol: queued, Run: productNSQ,
		Doc: "NSQ: the product"},

	{Name: "inline-slow", Protocol: "fg", Control: true, Run: baselines.InlineSlow,
		Doc: "inline that takes a quarter longer, so its rate is a fifth lower where it is the bottleneck"},
	{Name: "inline-loses", Protocol: "fg", Control: true, Run: baselines.InlineLoses,
		Doc: "inline without the ack of message 1000"},
	{Name: "inline-doubles", Protocol: "fg", Control: true, Run: baselines.InlineDoubles,
		Doc: "inline that acks message 1000 twice"},
}

// productName is the subject with which the others are compared.
const productName = "feedgate"

// Find returns the subject with that name, or nil.
func Find(name string) *Subject {
	for i := range Subjects {
		if Subjects[i].Name == name {
			return &Subjects[i]
		}
	}
	return nil
}

// product is the gateway with the defaults of feedgate run.
func product(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	return runGateway(ctx, gateway.Config{Protocol: fg1.Protocol{}, Hosts: []string{addr}, Workers: workers}, work)
}

func productByKey(f *keyForm) baselines.Func {
	return func(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
		return runGateway(ctx, gateway.Config{
			Protocol: fg1.Protocol{}, Hosts: []string{addr}, Workers: workers, Dispatch: "key", Key: f.selector,
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
	if err := gw.Run(ctx); err != nil {
		return baselines.Result{}, fmt.Errorf("gateway: %w", err)
	}
	if ctx.Err() != nil {
		return baselines.Result{}, errors.Join(ctx.Err(), errors.New("gateway: ended before the feed did"))
	}
	return baselines.Result{Messages: gw.Stats().Messages.Load()}, nil
}

func newGateway(cfg gateway.Config, work func(msg []byte)) (*gateway.Gateway, error) {
	cfg.ClientName = "feedgate"
	cfg.DataOnly = true
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg.Sink = worker.Each(func(_ context.Context, m worker.Message) error {
		work(m.Data)
		return nil
	})
	return gateway.New(cfg)
}
