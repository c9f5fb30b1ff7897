package main

import (
	"context"
	"os"

	"feedgate/cmd/feedgate/top"
)

// topCmd shows what a running gateway does.
type topCmd struct {
	Addr string `arg:"" optional:"" name:"ADDR" default:"127.0.0.1:4190" help:"HOST:PORT of the gateway's --admin, or the URL of its page [${default}]."`
}

// Help is the part of top's help before the flags.
func (topCmd) Help() string {
	return `It shows, once a second, what the page at the admin address shows: what the gateway waits for, and for each upstream the incoming and acknowledged rates, the messages in flight and their limit, the age of the oldest unacknowledged one, latency from read to ack, the rings of its workers, how much of the time reading was stopped and why, and errors by reason; and for each sink its rate and the time per batch. Rates, latencies and shares are those of the last three seconds.

Keys: q or Ctrl-C quits; arrows, Page Up and Page Down, j and k scroll.

If standard output is not a terminal, it prints one snapshot, of one second. NO_COLOR=1 turns the colours off.

Exit status: 0, or 1 if nothing answers at the address.`
}

// Run shows the gateway until somebody quits.
func (c *topCmd) Run(ctx context.Context, g *globals) error {
	return top.Run(ctx, c.Addr, os.Stdin, g.stdout)
}
