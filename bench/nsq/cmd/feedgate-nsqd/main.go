// Command feedgate-nsqd serves the subjects of feedgate bench that consume NSQ: nsqd,
// filled anew for each run.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"feedgate/bench"
	"feedgate/bench/nsq"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench.OriginMain(ctx, start, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "feedgate-nsqd:", err)
		os.Exit(1)
	}
}

func start(o bench.Order) (bench.Feed, error) {
	return nsq.New(nsq.Config{Count: o.Count, Size: o.Size, Duration: o.Duration})
}
