package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"feedgate/cmd/feedgate/cli"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/gateway/wire/faults"
	"feedgate/worker/credential"
)

// feedCmd is the feed server: its flags are the fields of feedserver.Config.
type feedCmd struct {
	Listen   string      `placeholder:"ADDR" default:"127.0.0.1:7000" help:"HOST:PORT; port 0: a free one [${default}]."`
	Protocol string      `placeholder:"NAME" default:"fg" help:"fg, line, length or ws [${default}]."`
	Count    *int64      `placeholder:"N" help:"Messages per session; 0: endless [endless, or each line of --replay once]."`
	Duration cli.Timeout `placeholder:"D" default:"0" help:"A session ends so long after it began, or at --count if that is sooner; 0: at --count only [${default}]."`
	Size     cli.Size    `placeholder:"BYTES" default:"64" help:"Payload of a synthetic message [${default}]."`
	Rate     float64     `placeholder:"N" default:"0" help:"Messages per second and session; 0: flat out [${default}]."`
	Replay   string      `placeholder:"FILE" help:"Its lines are the messages; line sends them with their line ends."`
	Clients  cli.Count   `placeholder:"N" default:"1" help:"Sessions to wait for before it may end [${default}]."`
	More     cli.Count   `placeholder:"N" default:"1" help:"fg: frames a message is sent in [${default}]."`
	Fragment cli.Count   `placeholder:"N" default:"1" help:"ws: frames a message is sent in; from 2 on, every 100th message has a PING within [${default}]."`
	Batch    cli.Count   `placeholder:"N" help:"Most messages written at once [8192, 64 under --chaos]."`
	Window   cli.Count   `placeholder:"N" default:"1048576" help:"Most unacked messages of a session [${default}]."`

	Chaos string `placeholder:"SPEC" help:"Misbehave on purpose, see above."`
	Seed  uint64 `placeholder:"N" default:"1" help:"Of the dice of --chaos [${default}]."`

	TokenFile      string   `placeholder:"FILE" help:"fg: secret that a client must present; others must not have access to it."`
	Acks           []string `placeholder:"MODES" default:"each,range" help:"fg: ack modes offered [${default}]."`
	IgnoreHelloSeq bool     `help:"fg: resume from the first ack that did not arrive, whatever HELLO says."`

	TLSCert     string `name:"tls-cert" placeholder:"FILE" help:"Serve TLS, with this certificate and its chain."`
	TLSKey      string `name:"tls-key" placeholder:"FILE" help:"Its key."`
	TLSClientCA string `name:"tls-client-ca" placeholder:"FILE" help:"Demand a client certificate that one of these authorities has signed."`
	TLSMax      string `name:"tls-max" placeholder:"VERSION" help:"Highest version, 1.1, 1.2 or 1.3, for trying clients; the lowest is 1.2, with 1.1 it is 1.0 [1.3]."`

	Heartbeat      cli.Period `placeholder:"D" default:"5s" help:"fg, ws: between PINGs; fg: asked of clients, too [${default}]."`
	IdleTimeout    cli.Period `placeholder:"D" default:"25s" help:"Nothing received: the client is dead [${default}]."`
	SessionTimeout cli.Period `placeholder:"D" default:"30s" help:"A session waits so long for its client [${default}]."`
	DrainTimeout   cli.Period `placeholder:"D" default:"5s" help:"After SIGTERM or SIGINT, for acks to come [${default}]."`

	JSON bool `name:"json" help:"Report as one JSON object."`
	logFlags
}

// Help is the part of feed's help before the flags.
func (feedCmd) Help() string {
	return `The address it listens on is the line "listening on HOST:PORT" on stderr. With --count or --duration it ends when --clients sessions have come and all of them are acknowledged, and without at SIGTERM or SIGINT; then it reports on stdout what became of each client's messages.

Examples:

    feedgate feed --count 1000000
    feedgate feed --duration 10s --rate 100000
    feedgate feed --protocol line --replay sentences.log --rate 100
    feedgate feed --count 100000 --chaos reset=0.01,split=1-7 --seed 42
    feedgate feed --protocol ws --fragment 3 --rate 1000
    feedgate feed --tls-cert feed.pem --tls-key feed.key --tls-client-ca clients.pem

A lost connection is no lost session: an fg client names its session when it comes back, with line, length and ws the next client goes on with it. All start at the first message that is not acknowledged.

Acks it takes: fg: ACK and ACKTO; line: A, the message's number on the connection, LF; length: u32be 10, u64be number, u16be code; ws: a message of A and the number.

With ws any path will do, and the first subprotocol that is asked for is agreed to. A message is a text frame, one that is not UTF-8 a binary one.

` + feedserver.ChaosHelp + `

Exit status: 0 every ack came once; 1 an ack is missing, doubled or unknown, or a failure; 2 usage.`
}

// Run serves until all is acknowledged or a signal comes.
func (c *feedCmd) Run(ctx context.Context, g *globals) error {
	config, err := c.config(g)
	g.settings.warnUnknown(config.Log)
	server, faults := feedserver.New(config)
	if err := errors.Join(err, faults); err != nil {
		return cli.Usage(err)
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer server.Close()
	fmt.Fprintf(g.stderr, "listening on %s\n", server.Addr())

	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-g.abort:
			_ = server.Close() // makes Wait return
		case <-ended:
		}
	}()
	report, err := server.Wait(ctx)
	return errors.Join(err, c.print(g, report), report.Err())
}

// config is what the flags say, with the faults that feedserver.New cannot see.
func (c *feedCmd) config(g *globals) (feedserver.Config, error) {
	var faults faults.List
	chaos, err := feedserver.ParseChaos(c.Chaos)
	faults.AddErr(err)
	var token []byte
	if c.TokenFile != "" {
		token, err = credential.ReadSecret("--token-file", c.TokenFile)
		faults.AddErr(err)
	}
	certified, err := feedserver.TLSFiles{Cert: c.TLSCert, Key: c.TLSKey, ClientCA: c.TLSClientCA, Max: c.TLSMax}.Load()
	faults.AddErr(err)
	var count int64
	if c.Count != nil {
		count = *c.Count
		faults.Check(count >= 0, "--count: %d is less than 0", count)
		if count == 0 {
			count = feedserver.Endless
		}
	}
	return feedserver.Config{
		Listen:   c.Listen,
		Protocol: c.Protocol,
		Count:    count,
		Duration: time.Duration(c.Duration),
		Size:     int(c.Size),
		Rate:     c.Rate,
		Replay:   c.Replay,
		Clients:  int(c.Clients),
		Parts:    int(c.More),
		Fragment: int(c.Fragment),
		Batch:    int(c.Batch),
		Window:   int(c.Window),

		Chaos: chaos,
		Seed:  c.Seed,

		TLS: certified,

		Token:          token,
		Acks:           c.Acks,
		IgnoreHelloSeq: c.IgnoreHelloSeq,

		Heartbeat:      time.Duration(c.Heartbeat),
		IdleTimeout:    time.Duration(c.IdleTimeout),
		SessionTimeout: time.Duration(c.SessionTimeout),
		DrainTimeout:   time.Duration(c.DrainTimeout),

		Log: c.logger(g.stderr),
	}, faults.Err()
}

// print reports on standard output.
func (c *feedCmd) print(g *globals, report feedserver.Report) error {
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(report)
	}
	return report.WriteTable(g.stdout)
}
