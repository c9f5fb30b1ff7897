package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"feedgate/cmd/feedgate/cli"
	"feedgate/cmd/feedgate/fgcheck"
	"feedgate/gateway"
	"feedgate/gateway/wire/fg1"
)

// defaultSink lets --fg1, which has no use for a sink, do without --sink.
func (c *checkCmd) defaultSink() {
	if c.FG1 && c.Sink == "" {
		c.Sink = "discard:"
	}
}

// fg1Faults returns what keeps --fg1 from testing a server.
func (c *checkCmd) fg1Faults(planned []gateway.Config) error {
	switch {
	case c.Consume && !c.FG1:
		return errors.New("--consume: it is of use only with --fg1")
	case !c.FG1 || len(planned) == 0:
		return nil
	case !c.Consume:
		return errors.New("--fg1: it takes and acknowledges messages of the server; add --consume if it is a test server")
	case c.Print || c.Connect:
		return errors.New("--fg1: it cannot be combined with --print or --connect")
	case len(planned) > 1 || len(planned[0].Hosts) != 1 || planned[0].Protocol.Scheme() != &fg1.Scheme:
		return errors.New("--fg1: want one URL with one host, as in fg://HOST:PORT or fg+tls://HOST:PORT")
	}
	return nil
}

// testServer tests an FG/1 server and prints a line for each rule.
func (c *checkCmd) testServer(ctx context.Context, g *globals, secrets secrets, plan *gateway.Config) error {
	address := plan.Hosts[0]
	var secure *tls.Config
	if plan.Secure {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return cli.Usage(err)
		}
		secure = secrets.tls.Client(host, fg1.Scheme.ALPN)
	}
	err := fgcheck.Run(ctx, fgcheck.Config{
		Address: address, TLS: secure, Token: secrets.token.Bytes(), Client: c.ClientName, MaxMessage: plan.MaxMessage,
	}, g.stdout)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fgcheck.ErrBroken):
		return cli.ExitError{Code: cli.ExitFailure}
	}
	return fmt.Errorf("%s: %w", plan.Label, err)
}
