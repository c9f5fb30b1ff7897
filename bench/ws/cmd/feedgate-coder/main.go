// Command feedgate-coder is a subject of feedgate bench: a client of
// github.com/coder/websocket.
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
	if err := bench.ClientMain(ctx, ws.Coder, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "feedgate-coder:", err)
		os.Exit(1)
	}
}
