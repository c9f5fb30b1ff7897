package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway"
	"feedgate/gateway/discovery"
	"feedgate/worker/credential"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"

	"github.com/alecthomas/kong"
)

// runCmd runs gateways. Its flags set the fields of gateway.Config and what the gateways of one
// process share. A flag without a default here leaves the field zero: the gateway's own default
// depends on the protocol or the machine.
type runCmd struct {
	URL []string `arg:"" optional:"" name:"URL" help:"${urls}. The next host is tried if one cannot be reached, its login fails, or it closes the connection within 1s. Each URL has a gateway of its own; all share the sink and the admin address."`

	Sink       string     `group:"messages" placeholder:"URL" help:"Where messages go, see Sinks above; required."`
	Output     string     `group:"messages" placeholder:"TEMPLATE" help:"What the sink gets of each message [{data}]."`
	ID         string     `name:"id" group:"messages" placeholder:"SELECTOR" help:"Selects the {id} of a message [by protocol]."`
	Retries    int        `group:"messages" placeholder:"N" default:"0" help:"Retries before a message is refused [${default}]."`
	RetryMin   cli.Period `group:"messages" placeholder:"D" default:"100ms" help:"Delay of the first retry, then doubling [${default}]."`
	DeadLetter string     `group:"messages" placeholder:"URL" help:"Stores refused messages, acked with code 7."`

	Workers  cli.Count `group:"workers" placeholder:"N" help:"Number; 1 for ${streams} [GOMAXPROCS]."`
	Dispatch string    `group:"workers" placeholder:"HOW" default:"spread" help:"spread: in turn; key: by the message's key [${default}]."`
	Key      string    `group:"workers" placeholder:"SELECTOR" help:"Selects the key, see Selectors above."`
	Ring     cli.Count `group:"workers" placeholder:"N" help:"Entries per ring, a power of 2 [8192, or by protocol]."`

	Ack         string     `group:"acks" placeholder:"MODE" help:"each, ordered, range or none [by protocol]."`
	AckInterval cli.Period `group:"acks" placeholder:"D" default:"100ms" help:"Longest delay of a range ack [${default}]."`
	FlushMax    cli.Count  `group:"acks" placeholder:"N" default:"32" help:"Buffers per sendmmsg call, 1 to 32 [${default}]."`
	FlushPack   int        `group:"acks" placeholder:"N" default:"0" help:"Acks per buffer; 0: all that are ready [${default}]."`

	MaxMessage cli.Size  `group:"limits" placeholder:"SIZE" default:"1MiB" help:"Longer messages are refused with code 3 [${default}]."`
	InFlight   cli.Count `group:"limits" placeholder:"N" help:"Messages in flight, at most [65536, or by protocol]."`
	Memory     cli.Size  `group:"limits" placeholder:"SIZE" help:"Read buffers, at most [64MiB, or by cgroup]."`

	Heartbeat       cli.Period `group:"connection" placeholder:"D" default:"5s" help:"How often to send a sign of life [${default}]."`
	IdleTimeout     offTimeout `group:"connection" placeholder:"D" help:"Longest silence of the server; 0: off [25s or off]."`
	ConnectTimeout  cli.Period `group:"connection" placeholder:"D" default:"10s" help:"For connecting, and again for the login [${default}]."`
	WriteTimeout    cli.Period `group:"connection" placeholder:"D" default:"5m" help:"Longest time without a byte accepted [${default}]."`
	ReconnectMin    cli.Period `group:"connection" placeholder:"D" default:"100ms" help:"Shortest reconnect delay, at least 1ms [${default}]."`
	ReconnectMax    cli.Period `group:"connection" placeholder:"D" default:"10s" help:"Longest; random, doubling up to this [${default}]."`
	ConnectAttempts int        `group:"connection" placeholder:"N" default:"0" help:"Exit 1 after N failures in a row; 0: off [${default}]."`
	ClientName      string     `group:"connection" placeholder:"NAME" help:"Sent at login [host name]."`
	TokenFile       string     `group:"connection" placeholder:"FILE" help:"Login secret; must not be readable by others."`

	OfProtocols kong.Plugins   `embed:""`
	flags       *flagset.Flags // the same, by protocol

	plan       memoryPlan // set by prepare
	urlOrigins []string   // where each URL comes from; nil: the command line; set by prepare

	tlsFlags

	OfSinks   kong.Plugins   `embed:""`
	sinkFlags *flagset.Flags // the same, by kind of sink

	ExitOnClose  bool       `group:"stop" help:"Exit 0 once the server has closed and all is acked."`
	DrainTimeout cli.Period `group:"stop" placeholder:"D" default:"10s" help:"Limit for the drain after SIGTERM or SIGINT [${default}]."`
	State        string     `group:"stop" placeholder:"FILE" help:"Keeps sessions and last acked seq across restarts."`

	Config     string      `group:"process" placeholder:"FILE" help:"YAML file of settings, see Settings above."`
	Admin      string      `group:"process" placeholder:"ADDR" default:"127.0.0.1:4190" help:"A page, metrics and readiness; empty: off [${default}]."`
	Debug      bool        `group:"process" help:"Add /debug/pprof/ to the admin address."`
	StatsEvery cli.Timeout `group:"process" placeholder:"D" default:"0" help:"Log rates and what is waited for every D; 0: off [${default}]."`
	StallAfter offTimeout  `group:"process" placeholder:"D" default:"60s" help:"Warn if no message is done for this long; 0: off [${default}]."`
	Maxprocs   maxprocs    `group:"process" placeholder:"HOW" default:"quota" help:"GOMAXPROCS: CPU quota, runtime (Go's) or N [${default}]."`
	logFlags
}

// Help is the part of run's help before the flags.
func (runCmd) Help() string {
	return `A message is acknowledged once the sink reports it done. If the connection is lost, the gateway reconnects, and the server can send every unacknowledged message again.

Examples:

` + runExamples() + `

Sinks: --sink is required, because a server does not send acknowledged messages again. ` + sinks.Help() + ` --dead-letter takes ` + sinks.DeadLetterForms() + `.

Workers: with one, messages reach the sink in arrival order. That is the default for sinks that write a single stream (` + sinks.StreamForms() + `); for others it is GOMAXPROCS. With --dispatch spread, runs of consecutive messages go to the workers in turn, skipping any whose ring is full. With --dispatch key, all messages with one key go to one worker, in order.

Selectors: bytes:OFFSET:LENGTH; field:N:SEP, where N counts from 1; json:NAME, a top-level member; json:/A/B, a JSON pointer; meta:NAME, what the protocol reports about a message: ` + protocols.MetaNames() + `.

Templates: bytes, the escapes \n \r \t \0 \\ \xHH, and placeholders: {n} (arrival number on the connection), {code}, {bytes:OFFSET:LENGTH}, {field:N:SEP}, {json:NAME}, {json:/A/B}, {meta:NAME}, {id}, {token} and, in --output, {data}. {{ is a literal brace. Numbers are decimal, or binary as in {n:u64be} and {code:u16be}. {json:NAME} copies a string with its escapes; {json:NAME:text} decodes it.

` + explained(protocols.NewFlags()) + `

Limits: reading stops while the span from the oldest unacknowledged to the newest read message is --in-flight, or while read buffers fill --memory, which is at least 4 times --max-message. In a control group, the default of --memory is a quarter of the lowest memory limit up the tree, divided by the number of URLs, but at least 4 times --max-message and at most 64MiB. docs/memory.md lists what a gateway needs beyond it.

TLS: version 1.2 or later; the server's certificate and name are always verified. TLS flags without a TLS scheme are a usage error.

` + strings.TrimSpace(sinks.ServerHelp()+"\n\n"+explained(sinks.NewFlags())) + `

Signals: the first SIGTERM or SIGINT drains: messages that workers have are finished and acknowledged, within --drain-timeout; those that no worker has yet are dropped without an ack. A second one ends the process at once. SIGHUP rereads certificates, the token file and the password file, for new connections, and reopens the files of --sink and --dead-letter.

Admin address: if --admin is not given and its default is in use, the gateway listens on a free port and logs a warning that names both. If a given address is in use, it exits with status 1.

Log: on standard error. If its reader is slow, stuck or gone, lines are dropped and counted; the gateway never waits for it.

Settings: a flag can also be set by its environment variable, FEEDGATE_IN_FLIGHT for --in-flight, or by its key in the --config file, in-flight. The command line overrides the variable, which overrides the file, which overrides the default, shown in brackets. URLs are in FEEDGATE_URL, separated by spaces, or in the list url of the file. A repeatable flag has one value per line in its variable, and a list in the file.

Exit status: 0: done and drained; 1: failed; 2: usage error.`
}

// BeforeResolve is called by kong before it looks up flags that are not on the command line. It reads
// the --config file.
func (*runCmd) BeforeResolve(ctx *kong.Context, s *settings) error {
	s.loadFor(ctx)
	return nil
}

// Run runs the gateways until they have drained.
func (c *runCmd) Run(ctx context.Context, g *globals) error {
	var masks credential.Masks
	log := slog.New(masks.Handler(c.logger(g.stderr).Handler()))
	end := &lastLines{log: log}
	g.watchdog.setLast(func(code int, why string) {
		end.write(func() {
			if code == cli.ExitOK {
				log.Warn(why)
				return
			}
			log.Error("failed", "error", why)
		})
	})
	g.watchdog.setStarting(true)
	err := c.run(ctx, g, log, &masks, end)
	end.write(func() { c.logStartError(g, log, err) })
	return logged(err)
}

// logStartError prints or logs the error of a failed start. With --log-format json it is a JSON line,
// unless it is a usage error.
func (c *runCmd) logStartError(g *globals, log *slog.Logger, err error) {
	switch {
	case c.LogFormat != "json" || cli.IsUsage(err):
		printError(g.stderr, err, g, "feedgate run")
	case unlogged(err) != nil:
		log.Error("failed", "error", unlogged(err))
	}
}

// run is Run, except for the last lines of the log after an error.
func (c *runCmd) run(ctx context.Context, g *globals, log *slog.Logger, masks *credential.Masks, end *lastLines) error {
	secrets, planned, report, err := c.prepare(g)
	if err != nil {
		return err
	}
	masks.Add(secrets.token, secrets.sink.Password)
	c.describe(log, planned)
	end.setTotals(func() gateway.Totals { return gateway.Totals{} })
	report(log)
	ctx, fail := context.WithCancel(ctx)
	defer fail()
	hurry, release := hurried(ctx, g.abort, time.Duration(c.DrainTimeout))
	defer release()
	u := &upstreams{
		log: log, masks: masks, hurry: hurry, watchdog: g.watchdog, process: processInfo(g.stderr),
		debug: c.Debug, labels: sinkLabels{c.sinkLabel(c.Sink), c.sinkLabel(c.DeadLetter)},
	}
	if !c.ExitOnClose { // with it, the other upstreams run until they end by themselves
		u.fail = fail
	}
	g.dataOnTerminal = strings.HasPrefix(c.Sink, "stdout:") && terminalOf(g.stdout) != nil
	var passed func()
	u.childStderr, passed = g.childStderr()
	defer passed()
	if err := c.open(u, secrets, planned, g); err != nil {
		return errors.Join(err, u.close())
	}
	if err := u.startSinks(ctx); err != nil {
		return errors.Join(err, u.close())
	}
	end.setTotals(u.totals)
	g.watchdog.setStarting(false)
	r := c.reloader(u, secrets, g)
	r.start()
	stopLines := startStatsLines(log, time.Duration(c.StatsEvery), u.status().Snapshot)
	stopLive := g.startRunLine(u.status().Snapshot)
	err = u.run(ctx, g.abort)
	stopLive()
	passed() // the last line of the log follows
	stopLines()
	r.stop()
	end.write(func() { u.report(err) })
	return err
}

// reloader returns the reloader of this process's secrets, certificates and files.
func (c *runCmd) reloader(u *upstreams, secrets secrets, g *globals) *reloader {
	r := newReloader(u.log, g.hangups)
	if c.TokenFile != "" {
		r.add("--token-file", func() error { return c.reloadToken(secrets) })
	}
	if c.files() {
		r.add("--tls-ca, --tls-cert, --tls-key", secrets.tls.Reload)
	}
	for _, part := range secrets.sink.Reloads(c.sinkTargets()...) {
		r.add(part.Flags, part.Do)
	}
	r.addReopen("--sink", u.sink)
	r.addReopen("--dead-letter", u.deadLetters)
	return r
}

// open fills in u; after an error, as far as it got. It opens the admin address and the state file
// first: a second process started by mistake then fails before it touches the files of the first.
func (c *runCmd) open(u *upstreams, secrets secrets, planned []gateway.Config, g *globals) (err error) {
	if u.admin, err = listenAdmin(c.Admin, g.settings.given("admin"), u.log); err != nil {
		return err
	}
	if c.State != "" {
		if u.state, err = gateway.OpenState(c.State, u.log); err != nil {
			return err
		}
		if err := u.state.Check(planned); err != nil {
			return cli.Usage(err)
		}
	}
	if u.sink, err = openSink("--sink", c.Sink, c.sinkConfig(g, u, secrets)); err != nil {
		return err
	}
	if c.DeadLetter != "" {
		if u.deadLetters, err = openSink("--dead-letter", c.DeadLetter, c.sinkConfig(g, u, secrets)); err != nil {
			return err
		}
	}
	return c.addUpstreams(u, secrets)
}

// openSink opens the sink of a flag. Its error is a usage error if the URL is at fault.
func openSink(flag, url string, cfg sink.Config) (*sink.Sink, error) {
	cfg.Flag = flag
	out, err := sinks.Open(url, cfg)
	if errors.Is(err, sink.ErrURL) {
		return nil, cli.Usage(err)
	}
	return out, err
}

func (c *runCmd) sinkConfig(g *globals, u *upstreams, secrets secrets) sink.Config {
	return sink.Config{
		Flags:        c.sinkFlags,
		Credentials:  secrets.sink,
		Key:          c.key(),
		Log:          u.log,
		Stdout:       g.stdout,
		Stderr:       u.childStderr,
		ReconnectMin: time.Duration(c.ReconnectMin),
		ReconnectMax: time.Duration(c.ReconnectMax),

		ConnectTimeout: time.Duration(c.ConnectTimeout),
		Hurry:          u.hurry,
		Buffer:         c.plan.buffer,
	}
}

// addUpstreams creates a gateway, or a discovery group, for each URL.
func (c *runCmd) addUpstreams(u *upstreams, secrets secrets) error {
	labels := uniqueLabels(c.URL)
	for i, url := range c.URL {
		at, err := protocols.Parse(url, c.flags)
		if err != nil {
			return cli.Usage(err)
		}
		cfg := c.config(at, labels[i], secrets, u.log)
		cfg.Sink, cfg.SinkIsRemote, cfg.State = u.sink, u.sink.Remote, u.state
		if u.deadLetters != nil {
			cfg.DeadLetters = u.deadLetters
		}
		if at.Discover != nil {
			group, err := discovery.New(discovery.Config{Gateway: cfg, Discover: at.Discover})
			if err != nil {
				return cli.Usage(gateway.ByFlag(err))
			}
			u.groups = append(u.groups, group)
			continue
		}
		gw, err := gateway.New(cfg)
		if err != nil {
			return cli.Usage(gateway.ByFlag(err))
		}
		u.gateways = append(u.gateways, gw)
	}
	return nil
}
