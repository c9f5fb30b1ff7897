package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// run is what one run of one subject came to.
type run struct {
	rate   float64 // messages a second, from WELCOME to the last ack, by the server's clock
	client float64 // ns of processor time a message, of the whole client process
	server float64 // ns of processor time a message, of the server meanwhile
	limit  float64 // rate as a share of limit's in the same round; 0: not known
}

func compare(ctx context.Context, o options, out io.Writer) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	srv, err := startServer(self, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()

	runs := make(map[string][]run)
	for round := range o.rounds {
		for _, subject := range o.subjects {
			r, err := measure(ctx, srv, o, command(self, srv.addr, subject, o))
			if err != nil {
				return fmt.Errorf("round %d: %s: %w", round+1, subject, err)
			}
			fmt.Fprintf(os.Stderr, "round %d: %-9s %8.3f M msg/s  client %6.1f  server %6.1f ns/msg\n",
				round+1, subject, r.rate/1e6, r.client, r.server)
			runs[subject] = append(runs[subject], r)
		}
		for _, subject := range o.subjects {
			if of := runs["limit"]; of != nil {
				runs[subject][round].limit = runs[subject][round].rate / of[round].rate
			}
		}
	}
	return table(out, o, runs)
}

// command is the command line of a subject.
func command(self, addr, subject string, o options) []string {
	workers := strconv.Itoa(o.workers)
	if subject != product {
		return []string{self, "-role", subject, "-addr", addr, "-workers", workers}
	}
	args := []string{o.binary, "run", "fg://" + addr, "--exit-on-close", "--workers", workers, "--admin", "", "--sink", "discard:"}
	return append(args, o.flags...)
}

func measure(ctx context.Context, srv *server, o options, args []string) (run, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = &stderr
	cmd.WaitDelay = 5 * time.Second // should a child of its own keep standard error open
	if err := cmd.Run(); err != nil {
		return run{}, fmt.Errorf("%w\n%s", errors.Join(err, ctx.Err()), stderr.Bytes())
	}
	select {
	case r, ok := <-srv.reports:
		if !ok {
			return run{}, errors.New("the server has ended")
		}
		if r.Err != "" {
			return run{}, fmt.Errorf("server: %s", r.Err)
		}
		n := float64(o.msgs)
		return run{
			rate:   n / r.Elapsed.Seconds(),
			client: float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / n,
			server: float64(r.CPU) / n,
		}, nil
	case <-ctx.Done():
		return run{}, fmt.Errorf("no report from the server: %w", ctx.Err())
	}
}

// table prints medians, and the least and the most in brackets.
func table(out io.Writer, o options, runs map[string][]run) error {
	fmt.Fprintf(out, "%d messages of %d bytes, %d workers, %d rounds; median (min-max)\n\n",
		o.msgs, o.size, o.workers, o.rounds)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "subject\tM msg/s\tclient CPU ns/msg\tserver CPU ns/msg\tof limit")
	for _, subject := range o.subjects {
		rs, ofLimit := runs[subject], "-"
		if runs["limit"] != nil {
			ofLimit = spread(rs, 3, func(r run) float64 { return r.limit })
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", subject,
			spread(rs, 3, func(r run) float64 { return r.rate / 1e6 }),
			spread(rs, 1, func(r run) float64 { return r.client }),
			spread(rs, 1, func(r run) float64 { return r.server }),
			ofLimit)
	}
	return w.Flush()
}

func spread(rs []run, digits int, of func(run) float64) string {
	vs := make([]float64, 0, len(rs))
	for _, r := range rs {
		vs = append(vs, of(r))
	}
	slices.Sort(vs)
	median := (vs[(len(vs)-1)/2] + vs[len(vs)/2]) / 2
	return fmt.Sprintf("%.*f (%.*f-%.*f)", digits, median, digits, vs[0], digits, vs[len(vs)-1])
}
