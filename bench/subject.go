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

	"feedgate/bench/peers"
	"feedgate/gateway"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/framed"
	"feedgate/gateway/wire/nsq"
	"feedgate/gateway/wire/ws"
	"feedgate/worker"
	"feedgate/worker/credential"
)

// Subject is a client to be measured. Exactly one of Run and Program is set.
type Subject struct {
	Name     string
	Doc      string // one line: what it is, and which question it answers
	Protocol string // the feed's, that it speaks
	Default  bool   // measured when the user names no subjects
	// Control marks a client that is wrong on purpose, for trying the harness.
	Control bool

	// Run is the client, run in a process of its own.
	Run peers.Func
	// Program is the name of an executable beside the harness's own that takes the
	// flags of [clientMain] and speaks on its standard streams as that does.
	Program string
}

// Subjects are all that there are, in the order of a table.
var Subjects = []Subject{
	{Name: "limit", Protocol: "fg", Default: true, Run: peers.Limit,
		Doc: "bulk receive, no parsing, all acks in bulk: what the kernel and the feed leave to be had"},
	{Name: "inline", Protocol: "fg", Default: true, Run: peers.Inline,
		Doc: "one goroutine parses and acks in place, one send a read: the price of having workers at all"},
	{Name: "naive", Protocol: "fg", Default: true, Run: peers.Naive,
		Doc: "one goroutine per worker on one channel, one write per ack: the first thing one writes"},
	{Name: "channels", Protocol: "fg", Default: true, Run: peers.Channels,
		Doc: "bufio, a channel a worker, a writer that gathers acks: what an experienced Go programmer writes"},
	{Name: "batches", Protocol: "fg", Default: true, Run: peers.Batches,
		Doc: "one channel send per read, acks over messages, writev: what one writes after profiling that"},
	{Name: "gnet-async", Protocol: "fg", Run: peers.GnetAsync,
		Doc: "a gnet client, a channel a worker, AsyncWrite an ack: gnet as its examples use it"},
	{Name: "gnet-loop", Protocol: "fg", Default: true, Run: peers.GnetLoop,
		Doc: "a gnet client that does all work on its loop: what gnet can do without workers"},
	{Name: "seed-32", Protocol: "fg", Default: true, Run: gateway32,
		Doc: "feedgate with one single ack a message of its sendmmsg: what packing acks is worth"},
	{Name: "asio", Protocol: "fg", Program: "feedgate-asio",
		Doc: "C++17, Boost.Asio, boost::lockfree::spsc_queue, one post per ack (make peers): the same idea with a library's loop"},
	{Name: productName, Protocol: "fg", Default: true, Run: product,
		Doc: "the product, as feedgate run has it"},

	{Name: "ws-gws", Protocol: "ws", Program: "feedgate-gws",
		Doc: "WebSocket: a gws client, a channel a worker (make peers)"},
	{Name: "ws-coder", Protocol: "ws", Program: "feedgate-coder",
		Doc: "WebSocket: a coder/websocket client, a channel a worker (make peers)"},
	{Name: "ws-feedgate", Protocol: "ws", Run: productWS,
		Doc: "WebSocket: the product, acks A{n}"},
	{Name: "tls-limit", Protocol: "fg+tls", Run: limitTLS,
		Doc: "TLS: limit over a tls.Conn, a bare loop of its reads"},
	{Name: "tls-feedgate", Protocol: "fg+tls", Run: productTLS,
		Doc: "TLS: the product"},

	{Name: "nsq-go-nsq", Protocol: queued, Program: "feedgate-go-nsq",
		Doc: "NSQ: a go-nsq consumer with a handler a worker, 2500 in flight (make peers)"},
	{Name: "nsq-go-nsq-tuned", Protocol: queued, Program: "feedgate-go-nsq-tuned",
		Doc: "NSQ: the same with nsqd's largest output buffer and GOGC=800: what go-nsq's settings can do (make peers)"},
	{Name: "nsq-inline", Protocol: queued, Program: "feedgate-nsq-inline",
		Doc: "NSQ: one goroutine parses and finishes in place, one send a read (make peers)"},
	{Name: "nsq-feedgate", Protocol: queued, Run: productNSQ,
		Doc: "NSQ: the product"},

	{Name: "inline-slow", Protocol: "fg", Control: true, Run: peers.InlineSlow,
		Doc: "inline that takes a quarter longer, so that its rate falls by a fifth where it is what limits"},
	{Name: "inline-loses", Protocol: "fg", Control: true, Run: peers.InlineLoses,
		Doc: "inline that leaves out the ack of message 1000"},
	{Name: "inline-doubles", Protocol: "fg", Control: true, Run: peers.InlineDoubles,
		Doc: "inline that acks message 1000 twice"},
}

// productName is the subject that the others are there for.
const productName = "feedgate"

// Find is the subject of that name, or nil.
func Find(name string) *Subject {
	for i := range Subjects {
		if Subjects[i].Name == name {
			return &Subjects[i]
		}
	}
	return nil
}

// product is the gateway as feedgate run has it by default.
func product(ctx context.Context, addr string, workers int, work func(msg []byte)) (peers.Result, error) {
	return runGateway(ctx, gateway.Config{Protocol: fg1.Protocol{}, Hosts: []string{addr}, Workers: workers}, work)
}

func productWS(ctx context.Context, addr string, workers int, work func(msg []byte)) (peers.Result, error) {
	protocol := ws.Protocol{Framed: framed.Flags{AckTemplate: "A{n}"}}
	return runGateway(ctx, gateway.Config{Protocol: protocol, Hosts: []string{addr}, Workers: workers}, work)
}

func productTLS(ctx context.Context, addr string, workers int, work func(msg []byte)) (peers.Result, error) {
	trusted, err := credential.LoadTLS(gateway.TLSFlags, credential.Files{CA: os.Getenv(caVariable)})
	if err != nil {
		return peers.Result{}, err
	}
	return runGateway(ctx, gateway.Config{Protocol: fg1.Protocol{}, Hosts: []string{addr}, Secure: true, Workers: workers, TLS: trusted}, work)
}

// productNSQ ends with the connection: nsqd has no goodbye.
func productNSQ(ctx context.Context, addr string, workers int, work func(msg []byte)) (peers.Result, error) {
	protocol := nsq.Protocol{Topic: "bench", Channel: "bench"}
	gw, err := newGateway(gateway.Config{Protocol: protocol, Hosts: []string{addr}, Workers: workers}, work)
	if err != nil {
		return peers.Result{}, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- gw.Run(running) }()
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return peers.Result{}, fmt.Errorf("gateway: %w", err)
			}
			return peers.Result{Messages: gw.Stats().Messages.Load()}, nil
		case <-ticker.C:
			if gw.Stats().Reconnects.Load() > 0 {
				stop()
			}
		}
	}
}

// glance is how often a client looks whether its connection has ended, when nothing
// tells it.
const glance = 10 * time.Millisecond

func limitTLS(ctx context.Context, addr string, workers int, work func(msg []byte)) (peers.Result, error) {
	ca, err := os.ReadFile(os.Getenv(caVariable))
	if err != nil {
		return peers.Result{}, err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(ca) {
		return peers.Result{}, errors.New("no certificate to trust")
	}
	return peers.LimitTLS(&tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12})(ctx, addr, workers, work)
}

// gateway32 is the gateway as it was first imagined: up to 32 messages a
// sendmmsg, one ack in each.
func gateway32(ctx context.Context, addr string, workers int, work func(msg []byte)) (peers.Result, error) {
	return runGateway(ctx, gateway.Config{Protocol: fg1.Protocol{}, Hosts: []string{addr}, Workers: workers, FlushMax: 32, FlushPack: 1}, work)
}

func runGateway(ctx context.Context, cfg gateway.Config, work func(msg []byte)) (peers.Result, error) {
	cfg.ExitOnClose = true
	gw, err := newGateway(cfg, work)
	if err != nil {
		return peers.Result{}, err
	}
	if err := gw.Run(ctx); err != nil {
		return peers.Result{}, fmt.Errorf("gateway: %w", err)
	}
	if ctx.Err() != nil {
		return peers.Result{}, errors.Join(ctx.Err(), errors.New("gateway: ended before the feed did"))
	}
	return peers.Result{Messages: gw.Stats().Messages.Load()}, nil
}

func newGateway(cfg gateway.Config, work func(msg []byte)) (*gateway.Gateway, error) {
	cfg.ClientName = "feedgate"
	cfg.DataOnly = true
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg.Sink = worker.Each(func(m worker.Message) worker.Code {
		work(m.Data)
		return worker.OK
	})
	return gateway.New(cfg)
}
