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

// runCmd is the gateway: its flags are the fields of gateway.Config and what the
// gateways of one process share. A field without a default of its own is left to
// the gateway, whose default depends on the protocol or the machine.
type runCmd struct {
	URL []string `arg:"" optional:"" name:"URL" help:"${urls}. Further hosts are tried when one cannot be reached, its login fails, or it closes within 1s. Several URLs are several gateways, which share the sink and the admin address."`

	Workers    cli.Count  `group:"work" placeholder:"N" help:"Number; 1 for ${streams} [GOMAXPROCS]."`
	Dispatch   string     `group:"work" placeholder:"HOW" default:"spread" help:"spread: to workers in turn; key: by key [${default}]."`
	Key        string     `group:"work" placeholder:"SELECTOR" help:"A bytes:, field:, json: or meta: one, see above."`
	ID         string     `name:"id" group:"work" placeholder:"SELECTOR" help:"Picks {id} of a message [by protocol]."`
	Ring       cli.Count  `group:"work" placeholder:"N" help:"Entries of each, 2^n [8192, or by protocol]."`
	Sink       string     `group:"work" placeholder:"URL" help:"Where messages go, see above; required."`
	Output     string     `group:"work" placeholder:"TEMPLATE" help:"What the sink gets of each message [{data}]."`
	Retries    int        `group:"work" placeholder:"N" default:"0" help:"Retries before a message is refused [${default}]."`
	RetryMin   cli.Period `group:"work" placeholder:"D" default:"100ms" help:"Wait before the first, doubling after it [${default}]."`
	DeadLetter string     `group:"work" placeholder:"URL" help:"Refused messages go there, acked with code 7."`

	Ack         string     `group:"acks" placeholder:"MODE" help:"each, ordered, range, none [by protocol]."`
	AckInterval cli.Period `group:"acks" placeholder:"D" default:"100ms" help:"Longest that a range ack waits [${default}]."`
	FlushMax    cli.Count  `group:"acks" placeholder:"N" default:"32" help:"Sends per sendmmsg call, 1 to 32 [${default}]."`
	FlushPack   int        `group:"acks" placeholder:"N" default:"0" help:"Acks per send; 0: all that are ready [${default}]."`

	MaxMessage cli.Size  `group:"limits" placeholder:"SIZE" default:"1MiB" help:"Longer messages are skipped and refused (3) [${default}]."`
	InFlight   cli.Count `group:"limits" placeholder:"N" help:"Oldest unacked to newest read [65536, or by protocol]."`
	Memory     cli.Size  `group:"limits" placeholder:"SIZE" help:"Read buffers, from 4 messages on [64MiB, or by cgroup]."`

	Heartbeat       cli.Period `group:"connection" placeholder:"D" default:"5s" help:"Interval of the signs of life it sends [${default}]."`
	IdleTimeout     offTimeout `group:"connection" placeholder:"D" help:"Dead if silent for this long; 0: off [25s or off]."`
	ConnectTimeout  cli.Period `group:"connection" placeholder:"D" default:"10s" help:"For connecting, and again for the login [${default}]."`
	WriteTimeout    cli.Period `group:"connection" placeholder:"D" default:"5m" help:"Dead if the peer takes no byte for this long [${default}]."`
	ReconnectMin    cli.Period `group:"connection" placeholder:"D" default:"100ms" help:"Shortest wait before a dial, from 1ms on [${default}]."`
	ReconnectMax    cli.Period `group:"connection" placeholder:"D" default:"10s" help:"Longest; random, its bound doubles up to it [${default}]."`
	ConnectAttempts int        `group:"connection" placeholder:"N" default:"0" help:"Exit 1 after N in a row fail; 0: no limit [${default}]."`
	ClientName      string     `group:"connection" placeholder:"NAME" help:"Sent at login [host name]."`
	TokenFile       string     `group:"connection" placeholder:"FILE" help:"Login secret; no access for others; see SIGHUP."`

	OfProtocols kong.Plugins   `embed:""`
	flags       *flagset.Flags // the same, by protocol

	plan memoryPlan // run makes it

	tlsFlags

	OfSinks   kong.Plugins   `embed:""`
	sinkFlags *flagset.Flags // the same, by kind of sink

	ExitOnClose  bool       `group:"process" help:"Exit 0 once the server has closed and all is acked."`
	DrainTimeout cli.Period `group:"process" placeholder:"D" default:"10s" help:"After SIGTERM or SIGINT, to finish in [${default}]."`
	StallAfter   offTimeout `group:"process" placeholder:"D" default:"60s" help:"Warn if no message is done for this long; 0: off [${default}]."`
	State        string     `group:"process" placeholder:"FILE" help:"Keeps sessions and last acked seq across restarts."`
	Admin        string     `group:"process" placeholder:"ADDR" default:"127.0.0.1:4190" help:"Metrics and readiness; empty: off [${default}]."`
	Maxprocs     maxprocs   `group:"process" placeholder:"HOW" default:"quota" help:"GOMAXPROCS: CPU quota, runtime or N [${default}]."`
	logFlags
	Config string `group:"process" placeholder:"FILE" help:"YAML; keys are url and the flags' names."`
}

// Help is the part of run's help before the flags.
func (runCmd) Help() string {
	return `A message is acknowledged once the sink has reported it done. After a lost connection the gateway reconnects, and nothing that the server sends again is lost.

Examples:

` + runExamples() + `

Sinks: one is required, as a feed that is acknowledged does not send its messages again. ` + sinks.Help() + ` --dead-letter takes ` + sinks.DeadLetterForms() + `.

Workers: with one, messages reach the sink in arrival order. That is the default for ` + sinks.StreamForms() + `, which write one stream and gain nothing from more; otherwise it is GOMAXPROCS.

Selectors: bytes:OFFSET:LENGTH, field:N:SEP (from 1), json:NAME of the top level, json:/A/B by JSON pointer, meta:NAME of what the protocol reports: ` + protocols.MetaNames() + `.

Templates: bytes with \n \r \t \0 \\ \xHH and {n} {code} {bytes:OFFSET:LENGTH} {field:N:SEP} {json:NAME} {json:/A/B} {meta:NAME} {id} {token} {{, in --output also {data}, numbers also as {n:u64be} and the like. A JSON string is copied as it is in the message, escapes and all; {json:NAME:text} decodes it.

` + explained(protocols.NewFlags()) + `

Memory: --memory is for each URL. In a control group with a memory limit (the lowest up the tree), its default is a quarter of that, divided by the number of URLs, if that is less than 64MiB, and at least 4 times --max-message. What a gateway needs beside it is in docs/memory.md.

TLS: 1.2 or later; the server's certificate and name are always verified. With a scheme without TLS its flags are a usage error.

` + strings.TrimSpace(sinks.ServerHelp()+"\n\n"+explained(sinks.NewFlags())) + `

SIGHUP rereads certificates, the token file and the password file, for new connections, and reopens the files of --sink and --dead-letter.

Admin address: if the default is in use, a free port is taken, with a warning that names both; if one that was given is in use, the exit status is 1.

Log: standard error. A reader that is slow, stuck or gone holds nothing up: lines are dropped and counted.

Defaults are in brackets. Each flag is also a variable, FEEDGATE_IN_FLIGHT for --in-flight, and a key of the --config file; a flag overrides its variable, which overrides the file. FEEDGATE_URL and the key url are the URLs, separated by spaces and a list; a flag that may be repeated is one value per line in its variable and a list in the file.

Exit status: 0 done and drained, 1 failed, 2 usage. One SIGTERM or SIGINT drains; a second one ends the process at once.`
}

// BeforeResolve implements kong's hook: the file must be read before the flags
// that the command line leaves open are looked up.
func (*runCmd) BeforeResolve(ctx *kong.Context, s *settings) error { return s.loadFor(ctx) }

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
	end.write(func() { c.explain(g, log, err) })
	return logged(err)
}

// explain writes why the start failed. A reader of JSON lines gets no other line, but for
// faults of usage.
func (c *runCmd) explain(g *globals, log *slog.Logger, err error) {
	switch {
	case c.LogFormat != "json" || cli.IsUsage(err):
		printError(g.stderr, err, g, "feedgate run")
	case unlogged(err) != nil:
		log.Error("failed", "error", unlogged(err))
	}
}

func (c *runCmd) run(ctx context.Context, g *globals, log *slog.Logger, masks *credential.Masks, end *lastLines) error {
	if len(c.URL) == 0 {
		c.URL = g.settings.upstreams()
	}
	if len(c.URL) == 0 {
		return cli.Usagef("no URL: name the feed, as in feedgate run fg://HOST:PORT --sink exec:./handle")
	}
	reportMaxprocs := c.Maxprocs.set() // before the gateways, whose workers default to it
	c.plan = c.planMemory()
	c.Memory = cli.Size(c.plan.each)

	secrets, planned, err := c.check()
	if err != nil {
		return err
	}
	c.plan.addOthers(planned, c.DeadLetter != "")
	reportMemory := c.plan.apply()
	masks.Add(secrets.token, secrets.sink.Password)
	c.describe(log, planned)
	end.from(func() gateway.Totals { return gateway.Totals{} })
	reportMaxprocs(log)
	reportMemory(log)
	g.settings.warnUnknown(log)
	ctx, fail := context.WithCancel(ctx)
	defer fail()
	hurry, over := hurried(ctx, g.abort, time.Duration(c.DrainTimeout))
	defer over()
	u := &upstreams{log: log, hurry: hurry, watchdog: g.watchdog}
	if !c.ExitOnClose { // those that end by themselves do so first
		u.fail = fail
	}
	if err := c.open(u, secrets, planned, g); err != nil {
		return errors.Join(err, u.close())
	}
	if err := u.startSinks(ctx); err != nil {
		return errors.Join(err, u.close())
	}
	end.from(u.totals)
	g.watchdog.setStarting(false)
	r := c.reloader(u, secrets, g)
	r.start()
	err = u.run(ctx, g.abort)
	r.stop()
	end.write(func() { u.report(err) })
	return err
}

// reloader has a part for everything that SIGHUP reloads.
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

// open fills in u, also when it fails halfway. The admin address and the state come first: a
// second process that is started by mistake finds one of them in use before it touches the
// first one's files.
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

// openSink opens a sink for a flag. A fault of the URL is a usage error, one of
// what it names is not.
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
		ReconnectMin: time.Duration(c.ReconnectMin),
		ReconnectMax: time.Duration(c.ReconnectMax),

		ConnectTimeout: time.Duration(c.ConnectTimeout),
		Hurry:          u.hurry,
		Buffer:         c.plan.buffer,
	}
}

// addUpstreams makes a gateway, or a group of them, for each URL.
func (c *runCmd) addUpstreams(u *upstreams, secrets secrets) error {
	labels := uniqueLabels(c.URL)
	for i, url := range c.URL {
		at, err := protocols.Parse(url, c.flags)
		if err != nil {
			return cli.Usage(err)
		}
		cfg := c.config(at, labels[i], secrets, u.log)
		cfg.Sink, cfg.State = u.sink, u.state
		if u.deadLetters != nil {
			cfg.DeadLetters = u.deadLetters
		}
		if at.Discover != nil {
			group, err := discovery.New(discovery.Config{Gateway: cfg, Discover: at.Discover})
			if err != nil {
				return cli.Usage(err)
			}
			u.groups = append(u.groups, group)
			continue
		}
		gw, err := gateway.New(cfg)
		if err != nil {
			return cli.Usage(err)
		}
		u.gateways = append(u.gateways, gw)
	}
	return nil
}
