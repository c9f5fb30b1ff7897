package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"strings"
	"time"

	"feedgate/bench/baselines/nsq"
	"feedgate/bench/client"
	"feedgate/cmd/feedgate/feedserver"
)

const (
	// FeedArg is the only argument of a process that runs [FeedMain].
	FeedArg = "bench-feed"
	// NsqdArg is the only argument of a process that runs [NsqdMain].
	NsqdArg = "bench-nsqd"
)

// order is a line to the feed's process: it starts a run for one client, or stops the current run.
type order struct {
	Protocol string        `json:"protocol,omitempty"`
	Size     int           `json:"size,omitempty"`
	Count    uint64        `json:"count,omitempty"`    // 0: as many as Duration allows
	Duration time.Duration `json:"duration,omitempty"` // 0: as long as Count takes
	Rate     float64       `json:"rate,omitempty"`
	Keys     int           `json:"keys,omitempty"` // as in Config; 0: the messages have none
	KeyForm  string        `json:"key_form,omitempty"`

	Certificate certificate `json:"certificate,omitzero"` // of a protocol over TLS
	// Patience is how long the run may make no progress before it is stopped. A subject that has lost an
	// ack would never end.
	Patience time.Duration `json:"patience,omitempty"`

	Stop bool `json:"stop,omitempty"`
}

// notice is a line from the feed's process: first its address, then its progress, at the end its report.
type notice struct {
	Addr         string  `json:"addr,omitempty"`
	Acknowledged uint64  `json:"acknowledged,omitempty"`
	Report       *served `json:"report,omitempty"`
}

// served is the feed's report of a run.
type served struct {
	feedserver.Counts
	CPUNS    float64   `json:"cpu_ns"`
	Latency  []float64 `json:"latency"` // us, at percentiles; none without acks
	GaveUp   bool      `json:"gave_up"` // no progress for order.Patience
	Failures string    `json:"failures,omitempty"`
}

// percentiles are the percentiles of the latency that are reported.
var percentiles = []float64{
	1, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.5, 99.7, 99.9, 99.95, 99.97, 99.99, 99.995, 99.999, 100,
}

const (
	noticePeriod = 200 * time.Millisecond
	// silence is the heartbeat interval: longer than a run, so the feed sends no PING, which limit would
	// take for a message.
	silence = maxRun
)

// feedServer serves one run to one client. It listens from the beginning.
type feedServer interface {
	Addr() net.Addr
	// Report returns the counts so far. Any goroutine may call it.
	Report() feedserver.Report
	// Wait waits until the run or ctx has ended, and returns the report.
	Wait(ctx context.Context) (feedserver.Report, error)
	// Close closes the client's connection.
	Close() error
}

// FeedMain is the process of the feed. It serves one run per order, one after another, until in ends.
func FeedMain(ctx context.Context, in io.Reader, out io.Writer) error {
	return originMain(ctx, startFeed, in, out)
}

// NsqdMain is [FeedMain] for clients of NSQ. For each run it starts an nsqd and fills it.
func NsqdMain(ctx context.Context, in io.Reader, out io.Writer) error {
	return originMain(ctx, startNsqd, in, out)
}

// originMain is the process of a feed. start makes the server of a run.
func originMain(ctx context.Context, start func(order) (feedServer, error), in io.Reader, out io.Writer) error {
	orders := make(chan order)
	failed := make(chan error, 1)
	go func() {
		defer close(orders)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			var o order
			if err := json.Unmarshal(scanner.Bytes(), &o); err != nil {
				failed <- fmt.Errorf("order: %w", err)
				return
			}
			orders <- o
		}
	}()
	for {
		select {
		case o, ok := <-orders:
			if !ok {
				select {
				case err := <-failed:
					return err
				default:
					return nil
				}
			}
			if o.Stop { // the run has already ended
				continue
			}
			server, err := start(o)
			if err != nil {
				return err
			}
			if err := serve(ctx, server, o.Patience, orders, json.NewEncoder(out)); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// startFeed starts a feed server.
func startFeed(o order) (feedServer, error) {
	protocol, over := strings.CutSuffix(o.Protocol, secured)
	var encryption *tls.Config
	if over {
		var err error
		if encryption, err = o.Certificate.config(); err != nil {
			return nil, err
		}
	}
	var payloads [][]byte
	if form := findKeyForm(o.KeyForm); form != nil {
		payloads = form.messages(o.Keys, o.Size)
	}
	var window int
	var linger time.Duration // of the session without its client; 0: the default
	if protocol == unacked {
		window, linger = math.MaxInt32, time.Millisecond // the end of the connection is the end
	}
	server, err := feedserver.New(feedserver.Config{
		Window: window, SessionTimeout: linger,
		Protocol: protocol, TLS: encryption, Size: o.Size, Payloads: payloads,
		Count: int64(o.Count), Duration: o.Duration, Rate: o.Rate,
		Heartbeat: silence, IdleTimeout: silence, DrainTimeout: time.Second,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	return server, server.Start()
}

func startNsqd(o order) (feedServer, error) {
	return nsq.New(nsq.Config{Count: o.Count, Size: o.Size, Duration: o.Duration})
}

// serve serves one run.
func serve(ctx context.Context, server feedServer, patience time.Duration, orders <-chan order, out *json.Encoder) error {
	defer server.Close()
	if err := out.Encode(notice{Addr: server.Addr().String()}); err != nil {
		return err
	}
	cpu := client.CPU()
	running, stop := context.WithCancel(ctx)
	defer stop()
	var report feedserver.Report
	ended := make(chan error, 1)
	go func() {
		var err error
		report, err = server.Wait(running)
		ended <- err
	}()
	gaveUp, err := attend(server, patience, orders, stop, ended, out)
	result := served{Counts: report.Total, CPUNS: client.CPU() - cpu, GaveUp: gaveUp}
	if err != nil {
		result.Failures = err.Error()
	}
	for _, p := range percentiles {
		if d, ok := report.LatencyAt(p); ok {
			result.Latency = append(result.Latency, float64(d)/1e3)
		}
	}
	return out.Encode(notice{Report: &result})
}

// attend reports the progress of a run until it has ended. It stops the run if it is ordered to, or
// if the run makes no progress.
func attend(server feedServer, patience time.Duration, orders <-chan order, stop func(), ended <-chan error, out *json.Encoder) (gaveUp bool, err error) {
	ticker := time.NewTicker(noticePeriod)
	defer ticker.Stop()
	moved, at := uint64(0), time.Now()
	// At first, the subject is still starting.
	wait := patience + grace
	for {
		select {
		case err := <-ended:
			return gaveUp, err
		case <-orders: // an order to stop, or the end of the harness
			orders = nil
			stop()
		case now := <-ticker.C:
			total := server.Report().Total
			if sum := total.Sent + total.Acknowledged; sum != moved {
				moved, at, wait = sum, now, patience
			} else if now.Sub(at) > wait {
				gaveUp = true
				stop()
			}
			if err := out.Encode(notice{Acknowledged: total.Acknowledged}); err != nil {
				return gaveUp, err
			}
		}
	}
}
