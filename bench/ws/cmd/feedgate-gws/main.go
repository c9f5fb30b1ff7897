// Command feedgate-gws is a subject of feedgate bench: a client of
// github.com/lxzan/gws.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"feedgate/bench"
	"feedgate/bench/ws"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench.ClientMain(ctx, ws.GWS, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "feedgate-gws:", err)
		os.Exit(1)
	}
}
