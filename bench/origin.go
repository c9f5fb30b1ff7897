package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"feedgate/bench/baselines/nsq"
	"feedgate/cmd/feedgate/feedserver"
)

const (
	// FeedArg is the only argument of a process that runs [FeedMain].
	FeedArg = "bench-feed"
	// NsqdArg is the only argument of a process that runs [NsqdMain].
	NsqdArg = "bench-nsqd"
)

// order is a line to the feed's process: what to serve to the one client of the
// next run, or to end the run that is under way.
type order struct {
	Protocol string        `json:"protocol,omitempty"`
	Size     int           `json:"size,omitempty"`
	Count    uint64        `json:"count,omitempty"`    // 0: as many as Duration allows
	Duration time.Duration `json:"duration,omitempty"` // 0: as long as Count takes
	Rate     float64       `json:"rate,omitempty"`

	Certificate certificate `json:"certificate,omitzero"` // of a protocol over TLS
	// Patience is how long the run may stand still before it is given up: a subject
	// that has lost an ack never comes to its end.
	Patience time.Duration `json:"patience,omitempty"`

	Stop bool `json:"stop,omitempty"`
}

// notice is a line from the feed's process: first the address, then how far the
// run has come, at its end the report.
type notice struct {
	Addr         string  `json:"addr,omitempty"`
	Acknowledged uint64  `json:"acknowledged,omitempty"`
	Report       *served `json:"report,omitempty"`
}

// served is what the feed has seen of a run.
type served struct {
	feedserver.Counts
	CPUNS    float64   `json:"cpu_ns"`
	Latency  []float64 `json:"latency"` // us, at percentiles; none without acks
	GaveUp   bool      `json:"gave_up"` // nothing moved for order.Patience
	Failures string    `json:"failures,omitempty"`
}

// percentiles are where latency is looked at.
var percentiles = []float64{
	1, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.5, 99.7, 99.9, 99.95, 99.97, 99.99, 99.995, 99.999, 100,
}

const (
	noticePeriod = 200 * time.Millisecond
	// silence is as long as a run may be, see [maxRun]: the feed sends no PING, which
	// limit could not tell from a message.
	silence = maxRun
)

// feedServer serves one run to one client. It listens before it is given an order's address.
type feedServer interface {
	Addr() net.Addr
	// Report is what it has seen so far. Any goroutine may ask.
	Report() feedserver.Report
	// Wait waits until the run has ended, or ctx has, and returns what it has seen.
	Wait(ctx context.Context) (feedserver.Report, error)
	// Close ends the client's connection, if it has not ended.
	Close() error
}

// FeedMain is the process of the feed: it serves one run an order, one after the
// other, until in ends.
func FeedMain(ctx context.Context, in io.Reader, out io.Writer) error {
	return originMain(ctx, startFeed, in, out)
}

// NsqdMain is [FeedMain] for clients of NSQ: for each run, an empty nsqd is started and filled.
func NsqdMain(ctx context.Context, in io.Reader, out io.Writer) error {
	return originMain(ctx, startNsqd, in, out)
}

// originMain is the process of what start makes a server for.
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
			if o.Stop { // the run was over already
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
	server, err := feedserver.New(feedserver.Config{
		Protocol: protocol, TLS: encryption, Size: o.Size, Count: int64(o.Count), Duration: o.Duration, Rate: o.Rate,
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
	cpu := processCPU()
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
	result := served{Counts: report.Total, CPUNS: processCPU() - cpu, GaveUp: gaveUp}
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

// attend tells how the run goes until it has ended, and stops it when it is told
// to or nothing moves.
func attend(server feedServer, patience time.Duration, orders <-chan order, stop func(), ended <-chan error, out *json.Encoder) (gaveUp bool, err error) {
	ticker := time.NewTicker(noticePeriod)
	defer ticker.Stop()
	moved, at := uint64(0), time.Now()
	// At first the subject is still being started.
	wait := patience + grace
	for {
		select {
		case err := <-ended:
			return gaveUp, err
		case <-orders: // to stop, or the harness has gone
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
