package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"feedgate/cmd/feedgate/cli"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/gateway"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker/sink"
)

// demoCmd runs a feed and a gateway in one process, connected over loopback.
type demoCmd struct {
	Duration cli.Period `placeholder:"D" default:"10s" help:"How long the feed sends [${default}]."`
}

// Help is the part of demo's help before the flags.
func (demoCmd) Help() string {
	return `A feed in this process sends 64-byte messages over loopback, as fast as the gateway accepts them, and checks every ack. The gateway's 2 workers count and drop the messages. It needs no setup and leaves nothing behind.

Exit status: 0 if every message was acknowledged exactly once, else 1.`
}

const demoWorkers = 2

// demoDrain is the --drain-timeout of the demo.
const demoDrain = 10 * time.Second

// Run runs the demo until its duration is over or the first signal arrives. It prints the
// summary in both cases.
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
	fmt.Fprintf(g.stderr, "feed and gateway on %s, %d workers, for %v; Ctrl-C ends the demo early\n",
		server.Addr(), demoWorkers, time.Duration(c.Duration))

	// The feed ends the connection once it has every ack, and ExitOnClose then ends the gateway.
	feeding, stop := context.WithTimeout(ctx, time.Duration(c.Duration))
	defer stop()
	working, drain := context.WithCancel(context.WithoutCancel(ctx))
	defer drain()
	var release func()
	u.hurry, release = hurried(working, g.abort, demoDrain)
	defer release()
	ended := make(chan error, 1)
	go func() {
		err := u.run(working, g.abort)
		if err != nil {
			server.Close() // else it would wait for acks that nobody sends
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
	printNext(g.stdout, os.Args[0])
	if err == nil && report.Total.Acknowledged == 0 {
		err = errors.New("no message was acknowledged")
	}
	return errors.Join(err, report.Err())
}

// demoUpstreams makes one gateway, which counts the messages and drops them.
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

// printSummary prints the result. The feed's counts are the evidence; the gateway's counters
// only show how many system calls it needed.
func printSummary(w io.Writer, feed *feedserver.Counts, stats *gateway.Stats) {
	fmt.Fprintf(w, "%s messages in %.1f s: %s messages/s, %.0f MB/s\n",
		thousands(feed.Acknowledged), feed.Seconds, thousands(uint64(feed.MsgsPerS)), feed.MBPerS)
	once := "each acknowledged exactly once"
	if feed.Missing+feed.Duplicate+feed.Unknown > 0 {
		once = "NOT each acknowledged exactly once"
	}
	fmt.Fprintf(w, "%s: %s missing, %s duplicate, %s unknown acks, counted by the feed\n",
		once, thousands(feed.Missing), thousands(feed.Duplicate), thousands(feed.Unknown))
	fmt.Fprintf(w, "ack latency at full speed: p50 %s, p99 %s, p99.9 %s, from send to ack\n",
		milliseconds(feed.P50US), milliseconds(feed.P99US), milliseconds(feed.P999US))
	messages := stats.Messages.Load()
	fmt.Fprintf(w, "system calls of the gateway: one recv per %s messages, one sendmmsg per %s acks, on average\n",
		thousands(messages/max(stats.Reads.Load(), 1)), thousands(messages/max(stats.Flushes.Load(), 1)))
}

// demoCommand is a command line that works with no other program than feedgate.
type demoCommand struct{ args, does string }

// demoNext are the commands to try after the demo. Each run reads from the feed above it.
var demoNext = []demoCommand{
	{"feed --count 1000000", "serve 1,000,000 messages on 127.0.0.1:7000, until all are acknowledged"},
	{"run fg://127.0.0.1:7000 --sink file:in.log --exit-on-close", "in a second terminal: store them in in.log"},
	{"feed --protocol line --rate 5", "serve 5 lines per second"},
	{`run tcp://127.0.0.1:7000 --frame line --ack-template 'A{n}\n' --sink stdout:`, "in a second terminal: print them"},
	{"run --help", "the other protocols and sinks, and every flag"},
}

// printNext prints demoNext as commands of program.
func printNext(w io.Writer, program string) {
	fmt.Fprint(w, "\nWhat to try next:\n")
	for _, c := range demoNext {
		fmt.Fprintf(w, "  %s %s\n      %s\n", program, c.args, c.does)
	}
}
