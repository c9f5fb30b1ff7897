package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"feedgate/cmd/feedgate/cli"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/gateway"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker/sink"
)

// demoCmd is a feed and a gateway in one process, connected over loopback.
type demoCmd struct {
	Duration cli.Period `placeholder:"D" default:"10s" help:"How long the feed sends [${default}]."`
}

// Help is the part of demo's help before the flags.
func (demoCmd) Help() string {
	return `A feed in this process sends messages of 64 bytes as fast as they are taken, over loopback on a free port, and checks every ack. A gateway with 2 workers reads and acknowledges them. Nothing needs to be set up and nothing is left behind.

Exit status: 0 when every message was acknowledged exactly once, else 1.`
}

const demoWorkers = 2

// demoDrain is the --drain-timeout of the demo.
const demoDrain = 10 * time.Second

// Run runs the demo. It ends after the duration or, with a summary all the same,
// at the first signal.
func (c *demoCmd) Run(ctx context.Context, g *globals) error {
	log := logFlags{LogFormat: "text", LogLevel: "warn"}.logger(g.stderr)
	maxprocs("quota").set()(log)
	g.settings.warnUnknown(log)

	server, err := feedserver.New(feedserver.Config{Log: log})
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer server.Close()
	u, err := demoUpstreams(server.Addr().String(), log)
	if err != nil {
		return err
	}
	fmt.Fprintf(g.stderr, "feed and gateway on %s, %d workers, %v; Ctrl-C ends it sooner\n",
		server.Addr(), demoWorkers, time.Duration(c.Duration))

	// The gateway ends when the feed says goodbye, having had every ack.
	feeding, stop := context.WithTimeout(ctx, time.Duration(c.Duration))
	defer stop()
	working, drain := context.WithCancel(context.WithoutCancel(ctx))
	defer drain()
	var over func()
	u.hurry, over = hurried(working, g.abort, demoDrain)
	defer over()
	ended := make(chan error, 1)
	go func() {
		err := u.run(working, g.abort)
		if err != nil {
			server.Close() // it would wait for the acks that no longer come
		}
		stop()
		ended <- err
	}()
	live := startLiveLine(g.screen(), server, u.gateways[0].Stats())
	report, err := server.Wait(feeding)
	drain()
	if fault := <-ended; fault != nil {
		err = fault
	}
	live.stop()

	printSummary(g.stdout, &report.Total, u.gateways[0].Stats())
	if err == nil && report.Total.Acknowledged == 0 {
		err = errors.New("no message came through")
	}
	return errors.Join(err, report.Err())
}

// demoUpstreams is one gateway whose messages are only counted.
func demoUpstreams(addr string, log *slog.Logger) (*upstreams, error) {
	out, err := sinks.Open("discard:", sink.Config{Log: log})
	if err != nil {
		return nil, err
	}
	gw, err := gateway.New(gateway.Config{
		Protocol:    fg1.Protocol{},
		Hosts:       []string{addr},
		Workers:     demoWorkers,
		ExitOnClose: true,
		Sink:        out,
		ClientName:  "demo",
		Log:         log,

		DrainTimeout: demoDrain,
	})
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return &upstreams{gateways: []*gateway.Gateway{gw}, sink: out, log: log}, nil
}

// printSummary says what the feed has seen, which is the feed's own check and not
// the gateway's word for it, and what it took the gateway.
func printSummary(w io.Writer, seen *feedserver.Counts, stats *gateway.Stats) {
	fmt.Fprintf(w, "%s messages in %.1f s: %s messages/s, %.0f MB/s\n",
		thousands(seen.Acknowledged), seen.Seconds, thousands(uint64(seen.MsgsPerS)), seen.MBPerS)
	once := "each acknowledged exactly once"
	if seen.Missing+seen.Duplicate+seen.Unknown > 0 {
		once = "NOT each acknowledged exactly once"
	}
	fmt.Fprintf(w, "%s: %s missing, %s duplicate, %s unknown, as the feed counts them\n",
		once, thousands(seen.Missing), thousands(seen.Duplicate), thousands(seen.Unknown))
	fmt.Fprintf(w, "from sent to acknowledged: p50 %s, p99 %s, p99.9 %s, with the feed flat out\n",
		milliseconds(seen.P50US), milliseconds(seen.P99US), milliseconds(seen.P999US))
	messages, reads, flushes := float64(stats.Messages.Load()), float64(stats.Reads.Load()), float64(stats.Flushes.Load())
	fmt.Fprintf(w, "system calls a message: %.5f reads, %.5f flushes; a read brings %.0f messages, a flush takes %.0f acks\n",
		reads/max(messages, 1), flushes/max(messages, 1), messages/max(reads, 1), messages/max(flushes, 1))
	fmt.Fprint(w, `
What to try next:
  feedgate feed --count 1000000                             a feed to connect to
  feedgate run fg://127.0.0.1:7000 --sink file:in.log       in another terminal: each message to a file
  feedgate run tcp://HOST:PORT --frame line --sink stdout:  any feed of lines, in order
  feedgate run URL --sink exec:./handle                     your program, one per worker
  feedgate bench                                            beside what one would write instead
  feedgate run --help                                       every flag
`)
}
