package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/credential"
	"feedgate/worker/sink"
)

// finding is a line of --connect.
type finding struct {
	what string // the upstream or the flag
	text string
	bad  bool
}

func found(what, text string) finding       { return finding{what: what, text: text} }
func failed(what string, err error) finding { return finding{what: what, text: err.Error(), bad: true} }

// connect connects to all upstreams and looks at the sinks, all at once, and prints a line for each. It
// returns false if one failed.
func (c *checkCmd) connect(ctx context.Context, g *globals, s secrets, planned []gateway.Config, out *checkOutput) bool {
	var probes []func() []finding
	for i := range planned {
		probes = append(probes, func() []finding { return c.probeUpstream(ctx, c.URL[i], planned[i]) })
	}
	probes = append(probes, func() []finding { return c.probeSink(ctx, g, s, "--sink", c.Sink) })
	if c.DeadLetter != "" {
		probes = append(probes, func() []finding { return c.probeSink(ctx, g, s, "--dead-letter", c.DeadLetter) })
	}
	results := make([][]finding, len(probes))
	var running sync.WaitGroup
	for i, probe := range probes {
		running.Go(func() { results[i] = probe() })
	}
	running.Wait()
	ok := true
	for _, f := range slices.Concat(results...) {
		if ok = ok && !f.bad; f.bad {
			out.line("failed: " + f.what + ": " + f.text)
		} else {
			out.line("ok: " + f.what + ": " + f.text)
		}
	}
	return ok
}

// probeUpstream probes the hosts of a URL, or those that are found for it.
func (c *checkCmd) probeUpstream(ctx context.Context, url string, cfg gateway.Config) []finding {
	cfg.Log, cfg.Sink = slog.New(slog.DiscardHandler), worker.Each(nil)
	var all []finding
	if len(cfg.Hosts) == 0 {
		hosts, err := c.discover(ctx, url)
		if err != nil {
			all = append(all, failed(cfg.Label, err))
		}
		if cfg.Hosts = hosts; len(hosts) == 0 {
			return all
		}
	}
	gw, err := gateway.New(cfg)
	if err != nil {
		return append(all, failed(cfg.Label, gateway.ByFlag(err)))
	}
	for _, p := range gw.Probe(ctx) {
		if p.Err != nil {
			all = append(all, failed(cfg.Label, gateway.ByFlag(p.Err)))
		} else {
			all = append(all, found(cfg.Label, probedText(p)))
		}
	}
	return all
}

// discover asks once for the servers of a URL without hosts. With an error, there may be some all the
// same.
func (c *checkCmd) discover(ctx context.Context, url string) (hosts []string, err error) {
	at, err := protocols.Parse(url, c.flags)
	if err != nil {
		return nil, err
	}
	discoverer, err := at.Discover(wire.DiscoveryConfig{Timeout: time.Duration(c.ConnectTimeout), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	err = discoverer.Poll(ctx, func(known []string) { hosts = slices.Clone(known) })
	if err == nil && len(hosts) == 0 {
		err = errors.New(discoverer.NoServers())
	}
	return hosts, err
}

// probedText describes a host that works.
func probedText(p gateway.Probed) string {
	parts := []string{"connected to " + p.Host}
	if p.Via != "" {
		parts[0] = "connected to " + p.Via + ", where " + p.Host + " redirects to"
	}
	if p.Addr != p.Host && p.Addr != p.Via {
		parts[0] += " (" + p.Addr + ")"
	}
	if p.TLS != nil {
		parts = append(parts, credential.Describe(p.TLS)...)
	}
	parts = append(parts, p.Version)
	if p.Login {
		parts = append(parts, "login accepted")
	}
	if p.Unprobed != "" {
		parts = append(parts, p.Unprobed+" was not sent")
	}
	return strings.Join(parts, ", ")
}

// probeSink looks at the sink of a flag.
func (c *checkCmd) probeSink(ctx context.Context, g *globals, s secrets, flag, url string) []finding {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.ConnectTimeout))
	defer cancel()
	text, err := sinks.Probe(ctx, url, sink.Config{
		Flag: flag, Flags: c.sinkFlags, Credentials: s.sink, Key: c.key(), Log: slog.New(slog.DiscardHandler),
		Stdout: g.stdout, ConnectTimeout: time.Duration(c.ConnectTimeout),
	})
	what := flag + " " + c.sinkLabel(url)
	switch {
	case err != nil:
		return []finding{failed(what, err)}
	case text == "":
		text = "there is nothing to connect to"
	}
	return []finding{found(what, text)}
}
