// Command rig compares clients of one feed: the ones in bench/peers and the
// product. The server is one process of its own for all of them, and each client
// runs as a process of its own, in turn, round after round, so that a change in
// what the machine has to give meets all of them alike.
//
//	go build -o bin/feedgate ./cmd/feedgate
//	go run ./bench/rig -msgs 20000000 -size 64 -workers 2 -rounds 5 -subjects limit,channels,inline,feedgate
//
// Exit status: 0, 1 when a subject failed or lost an ack, 2 usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"feedgate/bench/peers"
)

// product is the subject that is run from its own binary.
const product = "feedgate"

// options are the command line.
type options struct {
	msgs     uint64
	size     int
	workers  int
	rounds   int
	subjects []string
	verify   bool
	timeout  time.Duration
	binary   string
	flags    []string // of the product, beyond those that the rig sets

	// Of the processes that the rig starts from its own binary.
	role string
	addr string
}

func main() {
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch o.role {
	case "":
		err = compare(ctx, o, os.Stdout)
	case "server":
		err = serve(ctx, o, os.Stdin, os.Stdout)
	default:
		_, err = peers.Find(o.role)(ctx, o.addr, o.workers, func([]byte) {})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("rig", flag.ExitOnError)
	fs.Uint64Var(&o.msgs, "msgs", 20_000_000, "messages a run")
	fs.IntVar(&o.size, "size", 64, "payload of a message, in bytes")
	fs.IntVar(&o.workers, "workers", 2, "workers of a subject")
	fs.IntVar(&o.rounds, "rounds", 5, "runs of each subject")
	subjects := fs.String("subjects", "limit,inline,batches,channels,naive,"+product, "who is compared, with commas")
	fs.BoolVar(&o.verify, "verify", false, "check every ack, at the server's expense; limit sends none to check")
	fs.DurationVar(&o.timeout, "timeout", time.Minute, "longest that one run may take")
	fs.StringVar(&o.binary, "feedgate", "bin/feedgate", "the product")
	flags := fs.String("feedgate-flags", "", "more flags for its run, separated by spaces")
	fs.StringVar(&o.role, "role", "", "what the rig starts itself as; not for users")
	fs.StringVar(&o.addr, "addr", "", "of the server; not for users")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.subjects, o.flags = strings.Split(*subjects, ","), strings.Fields(*flags)
	return o, o.check(fs.Args())
}

func (o options) check(rest []string) error {
	known := []string{product}
	for _, p := range peers.Peers {
		known = append(known, p.Name)
	}
	for i, s := range o.subjects {
		if !slices.Contains(known, s) {
			return fmt.Errorf("-subjects: %q is none of %s", s, strings.Join(known, ","))
		}
		if slices.Contains(o.subjects[:i], s) {
			return fmt.Errorf("-subjects: %q stands there twice", s)
		}
	}
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case o.msgs < 1 || o.workers < 1 || o.rounds < 1:
		return fmt.Errorf("-msgs, -workers and -rounds must be at least 1")
	case o.size < 0 || o.size > 1<<20:
		return fmt.Errorf("-size must be 0 to 1048576")
	case o.role != "" && o.role != "server" && peers.Find(o.role) == nil:
		return fmt.Errorf("-role: %q is not one", o.role)
	}
	return nil
}
