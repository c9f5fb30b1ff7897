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
	Doc      string // what it is, without a period
	Question string // what one learns from it; "" for controls
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
		Doc:      "bulk receive into one buffer, no parsing, all acks in bulk",
		Question: "how fast can kernel and feed be?"},
	{Name: "inline", Protocol: "fg", Default: true, Run: baselines.Inline,
		Doc:      "one goroutine parses, works and acks in place, one send per read",
		Question: "what do workers cost if they gain nothing?"},
	{Name: "naive", Protocol: "fg", Default: true, Run: baselines.Naive,
		Doc:      "one goroutine per worker on one channel, one write per ack",
		Question: "what does one write first?"},
	{Name: "channels", Protocol: "fg", Default: true, Run: baselines.Channels,
		Doc:      "bufio, one channel per worker, recycled copies, a writer that combines acks",
		Question: "what does an experienced Go programmer write?"},
	{Name: "batches", Protocol: "fg", Default: true, Run: baselines.Batches,
		Doc:      "one channel send per read, acks written over the messages, writev; it keeps no order",
		Question: "what does one write after profiling channels?"},
	{Name: "gnet-async", Protocol: "fg", Run: baselines.GnetAsync,
		Doc:      "a gnet client, one channel per worker, one AsyncWrite per ack",
		Question: "is an event loop library enough?"},
	{Name: "gnet-loop", Protocol: "fg", Default: true, Run: baselines.GnetLoop,
		Doc:      "a gnet client that works on its loop",
		Question: "what can an event loop do without workers?"},
	{Name: "seed-32", Protocol: "fg", Default: true, Run: gateway32,
		Doc:      "feedgate with one ack in each of the 32 messages of a sendmmsg",
		Question: "what is packing acks worth?"},
	{Name: "asio", Protocol: "fg", Program: "feedgate-asio",
		Doc:      "C++17, Boost.Asio, boost::lockfree::spsc_queue, one post per ack, 32 single acks per sendmmsg (make baselines)",
		Question: "is it the language?"},
	{Name: productName, Protocol: "fg", Default: true, Run: product,
		Doc:      "the product, with the defaults of feedgate run",
		Question: "what is the product worth beside the others?"},

	{Name: "channels-key", Protocol: "fg",
		byKey:    func(f *keyForm) baselines.Func { return baselines.ChannelsByKey(f.find) },
		Doc:      "channels, where a hash of the key picks the channel (--keys)",
		Question: "what does order by key cost a Go programmer?"},
	{Name: "feedgate-key", Protocol: "fg", byKey: productByKey,
		Doc:      "the product with --dispatch key (--keys)",
		Question: "what does order by key cost the product?"},

	{Name: "ws-gws", Protocol: "ws", Run: ws.GWS,
		Doc:      "a WebSocket client of lxzan/gws, one channel per worker, combined acks",
		Question: "what do users of that library get?"},
	{Name: "ws-coder", Protocol: "ws", Run: ws.Coder,
		Doc:      "a WebSocket client of coder/websocket, one channel per worker, combined acks",
		Question: "what do users of that library get?"},
	{Name: "ws-feedgate", Protocol: "ws", Run: productWS,
		Doc:      "the product over WebSocket, acks A{n}",
		Question: "what does WebSocket cost compared with FG/1?"},
	{Name: "tls-limit", Protocol: "fg+tls", Run: limitTLS,
		Doc:      "limit over a tls.Conn, a bare loop of reads",
		Question: "how fast can crypto/tls be?"},
	{Name: "tls-feedgate", Protocol: "fg+tls", Run: productTLS,
		Doc:      "the product over TLS",
		Question: "what does TLS cost?"},

	{Name: "nsq-go-nsq", Protocol: queued, Run: nsq.GoNSQ,
		Doc:      "a go-nsq consumer as documented, a handler per worker, 2500 in flight",
		Question: "what do users of NSQ get?"},
	{Name: "nsq-go-nsq-tuned", Protocol: queued, Run: nsq.GoNSQTuned,
		Doc:      "nsq-go-nsq with nsqd's largest output buffer and GOGC=800",
		Question: "what can the settings of go-nsq do?"},
	{Name: "nsq-inline", Protocol: queued, Run: nsq.Inline,
		Doc:      "one goroutine parses and finishes in place, one send for the FINs of a read",
		Question: "how fast can nsqd be?"},
	{Name: "nsq-feedgate", Protocol: queued, Run: productNSQ,
		Doc:      "the product over NSQ",
		Question: "what does the product get from NSQ?"},

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
