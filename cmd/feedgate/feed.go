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

	"github.com/alecthomas/kong"
)

// feedCmd is the feed server. Its flags set the fields of feedserver.Config.
type feedCmd struct {
	Listen   string    `group:"feed" placeholder:"ADDR" default:"127.0.0.1:7000" help:"HOST:PORT; port 0: any free port [${default}]."`
	Protocol string    `group:"feed" placeholder:"NAME" default:"fg" help:"fg, line, length or ws [${default}]."`
	Clients  cli.Count `group:"feed" placeholder:"N" default:"1" help:"Sessions to await before ending [${default}]."`
	JSON     bool      `group:"feed" name:"json" help:"Print the report as one JSON object."`

	Count    *int64      `group:"feed-messages" placeholder:"N" help:"Messages per session; 0: endless [endless, or each line of --replay once]."`
	Duration cli.Timeout `group:"feed-messages" placeholder:"D" default:"0" help:"Limit for the length of a session; 0: --count alone ends it [${default}]."`
	Size     cli.Size    `group:"feed-messages" placeholder:"BYTES" default:"64" help:"Payload size of synthetic messages [${default}]."`
	Rate     float64     `group:"feed-messages" placeholder:"N" default:"0" help:"Messages per second and session; 0: at full speed [${default}]."`
	Replay   string      `group:"feed-messages" placeholder:"FILE" help:"Sends the lines of a file; --protocol line keeps their line ends."`
	More     cli.Count   `group:"feed-messages" placeholder:"N" default:"1" help:"fg: frames per message [${default}]."`
	Fragment cli.Count   `group:"feed-messages" placeholder:"N" default:"1" help:"ws: frames per message; from 2 on, every 100th message has a PING between its frames [${default}]."`
	Batch    cli.Count   `group:"feed-messages" placeholder:"N" help:"Messages per write, at most [8192, or 64 with --chaos]."`
	Window   cli.Count   `group:"feed-messages" placeholder:"N" default:"1048576" help:"Unacked messages per session, at most [${default}]."`

	Chaos          string `group:"feed-faults" placeholder:"SPEC" help:"Injects faults, see above."`
	Seed           uint64 `group:"feed-faults" placeholder:"N" default:"1" help:"Seed of the random choices of --chaos [${default}]."`
	IgnoreHelloSeq bool   `group:"feed-faults" help:"fg: ignores the seq of HELLO when it resumes a session; only acks received here count."`

	TokenFile string   `group:"feed-login" placeholder:"FILE" help:"Secret that clients must present; must not be readable by others."`
	Acks      []string `group:"feed-login" placeholder:"MODES" default:"each,range" help:"Ack modes to offer [${default}]."`

	TLSCert     string `group:"feed-tls" name:"tls-cert" placeholder:"FILE" help:"Serves TLS with this certificate and its chain, PEM."`
	TLSKey      string `group:"feed-tls" name:"tls-key" placeholder:"FILE" help:"Private key of --tls-cert, PEM."`
	TLSClientCA string `group:"feed-tls" name:"tls-client-ca" placeholder:"FILE" help:"Requires client certificates signed by one of these authorities, PEM."`
	TLSMax      string `group:"feed-tls" name:"tls-max" placeholder:"VERSION" help:"Highest version: 1.1, 1.2 or 1.3. The lowest is 1.2, but 1.0 if this is 1.1 [1.3]."`

	Heartbeat      cli.Period `group:"feed-times" placeholder:"D" default:"5s" help:"fg, ws: interval of PINGs; fg: also asked of clients [${default}]."`
	IdleTimeout    cli.Period `group:"feed-times" placeholder:"D" default:"25s" help:"Longest silence of a client [${default}]."`
	SessionTimeout cli.Period `group:"feed-times" placeholder:"D" default:"30s" help:"How long a session waits for its client to return [${default}]."`
	DrainTimeout   cli.Period `group:"feed-times" placeholder:"D" default:"5s" help:"How long to wait for acks after SIGTERM or SIGINT [${default}]."`

	logFlags
}

// feedGroups are the groups of feed's flags, with their headings in the help.
func feedGroups() []kong.Group {
	return []kong.Group{
		{Key: "feed", Title: "Feed:"},
		{Key: "feed-messages", Title: "Messages:"},
		{Key: "feed-faults", Title: "Faults:"},
		{Key: "feed-login", Title: "Login and acks (fg only):"},
		{Key: "feed-tls", Title: "TLS:"},
		{Key: "feed-times", Title: "Timeouts (D is a duration such as 100ms, 5s, 1m30s):"},
	}
}

// Help is the part of feed's help before the flags.
func (feedCmd) Help() string {
	return `With --count, --duration or --replay, the feed ends once --clients sessions have begun and all sessions are over: every message is acknowledged, or the client has been away for --session-timeout. Otherwise it runs until SIGTERM or SIGINT. At the end, standard output has a table of each client's messages and acks. The log is on standard error, after the line "listening on HOST:PORT".

Examples:

    feedgate feed --count 1000000
    feedgate feed --duration 10s --rate 100000
    feedgate feed --protocol line --replay sentences.log --rate 100
    feedgate feed --count 100000 --chaos reset=0.01,split=1-7 --seed 42
    feedgate feed --protocol ws --fragment 3 --rate 1000
    feedgate feed --tls-cert feed.pem --tls-key feed.key --tls-client-ca clients.pem

Sessions: a session survives the loss of its connection. An fg client names its session when it reconnects; with line, length and ws, the next client continues the session that lost its connection first. It resumes at the first unacknowledged message.

Acks by protocol, {n} being the message's number on its connection, from 1:

    fg        ACK or ACKTO
    line      A{n} and LF
    length    u32be 10, u64be {n}, u16be code
    ws        a message A{n}

With ws, any path is served, and the first subprotocol that the client offers is accepted. Messages are text frames, or binary frames where they are not UTF-8.

` + feedserver.ChaosHelp + `

Exit status: 0: every message was acknowledged exactly once; 1: an ack is missing, doubled or unknown, or the feed failed; 2: usage error.`
}

// Run serves until every message is acknowledged or a signal arrives.
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

// config converts the flags. Its error has those faults that feedserver.New cannot find.
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

// print writes the report to standard output.
func (c *feedCmd) print(g *globals, report feedserver.Report) error {
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(report)
	}
	return report.WriteTable(g.stdout)
}
