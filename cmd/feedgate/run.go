package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/fleet"
	"feedgate/worker/sink"

	"github.com/alecthomas/kong"
)

// runGroups head the flags of run in its help.
var runGroups = []kong.Group{
	{Key: "work", Title: "Work:"},
	{Key: "acks", Title: "Acknowledgements:"},
	{Key: "limits", Title: "Limits (SIZE is bytes, or KiB, MiB, GiB):"},
	{Key: "connection", Title: "Connection (D is a duration such as 100ms, 5s, 1m30s):"},
	{Key: "framing", Title: "Schemes tcp and ws, any framed protocol:"},
	{Key: "ws", Title: "Scheme ws:"},
	{Key: "nsq", Title: "Scheme nsq:"},
	{Key: "tls", Title: "Schemes with TLS (fg+tls, tcp+tls, wss, nsq+tls) only:"},
	{Key: "process", Title: "Process:"},
}

// runCmd is the gateway: its flags are the fields of gateway.Config and what the
// gateways of one process share. A field without a default of its own is left to
// the gateway, whose default depends on the protocol or the machine.
type runCmd struct {
	URL []string `arg:"" optional:"" name:"URL" help:"SCHEME://HOST:PORT[,HOST:PORT...], SCHEME fg, tcp, ws (HOST:PORT/PATH?QUERY), nsq (HOST:PORT/TOPIC/CHANNEL), with TLS fg+tls, tcp+tls, wss, nsq+tls; nsq:///TOPIC/CHANNEL with --nsqlookupd. Further hosts are tried when one cannot be reached, its login fails, or it closes within 1s. Several URLs are several gateways, which share the sink and the admin address."`

	Workers    count  `group:"work" placeholder:"N" help:"Number; 1 for ${streams} [GOMAXPROCS]."`
	Dispatch   string `group:"work" placeholder:"HOW" default:"spread" help:"spread: to workers in turn; key: by key [${default}]."`
	Key        string `group:"work" placeholder:"SELECTOR" help:"A bytes:, field:, json: or meta: one, see above."`
	ID         string `name:"id" group:"work" placeholder:"SELECTOR" help:"Picks {id} of a message [fg, nsq: by protocol]."`
	Ring       count  `group:"work" placeholder:"N" help:"Entries of each, 2^n; nsq: by --in-flight [8192]."`
	Sink       string `group:"work" placeholder:"URL" help:"Where messages go, see above; required."`
	Output     string `group:"work" placeholder:"TEMPLATE" help:"What the sink gets of each message [{data}]."`
	Retries    int    `group:"work" placeholder:"N" default:"0" help:"Retries before a message is refused [${default}]."`
	RetryMin   period `group:"work" placeholder:"D" default:"100ms" help:"Wait before the first, doubling after it [${default}]."`
	DeadLetter string `group:"work" placeholder:"${dead_letters}" help:"Refused messages go there, acked with code 7."`

	Ack         string `group:"acks" placeholder:"MODE" help:"each, ordered, range (fg only), none [each or none]."`
	AckInterval period `group:"acks" placeholder:"D" default:"100ms" help:"Longest that a range ack waits [${default}]."`
	FlushMax    count  `group:"acks" placeholder:"N" default:"32" help:"Sends per sendmmsg call, 1 to 32 [${default}]."`
	FlushPack   int    `group:"acks" placeholder:"N" default:"0" help:"Acks per send; 0: all that are ready [${default}]."`

	MaxMessage size  `group:"limits" placeholder:"SIZE" default:"1MiB" help:"Longer messages are skipped and refused (3) [${default}]."`
	InFlight   count `group:"limits" placeholder:"N" help:"Oldest unacked to newest read; nsq: RDY, 2500 [65536]."`
	Memory     size  `group:"limits" placeholder:"SIZE" default:"64MiB" help:"Read buffers in all, at least 4 messages [${default}]."`

	Heartbeat       period      `group:"connection" placeholder:"D" default:"5s" help:"Interval of the signs of life it sends [${default}]."`
	IdleTimeout     idleTimeout `group:"connection" placeholder:"D" help:"Dead if silent for this long; 0: off [25s or off]."`
	ConnectTimeout  period      `group:"connection" placeholder:"D" default:"10s" help:"For connecting, and again for the login [${default}]."`
	WriteTimeout    period      `group:"connection" placeholder:"D" default:"5m" help:"Dead if the peer takes no byte for this long [${default}]."`
	ReconnectMin    period      `group:"connection" placeholder:"D" default:"100ms" help:"Shortest wait before a dial, from 1ms on [${default}]."`
	ReconnectMax    period      `group:"connection" placeholder:"D" default:"10s" help:"Longest; random, its bound doubles up to it [${default}]."`
	ConnectAttempts int         `group:"connection" placeholder:"N" default:"0" help:"Exit 1 after N in a row fail; 0: no limit [${default}]."`
	ClientName      string      `group:"connection" placeholder:"NAME" help:"Sent at login [host name]."`
	TokenFile       string      `group:"connection" placeholder:"FILE" help:"Login secret; no access for others; see SIGHUP."`

	Frame             string `group:"framing" placeholder:"HOW" help:"tcp: line, delim:, varint, length:, above."`
	Hello             string `group:"framing" placeholder:"TEMPLATE" help:"Sent on connecting."`
	AckTemplate       string `group:"framing" placeholder:"TEMPLATE" help:"Sent for each message [nothing]."`
	HeartbeatTemplate string `group:"framing" placeholder:"TEMPLATE" help:"Sent every --heartbeat [nothing]."`
	IgnorePrefix      string `group:"framing" placeholder:"BYTES" help:"Such messages are signs of life only."`
	Assemble          string `group:"framing" placeholder:"SPEC" help:"Joins chunked requests, above."`

	WSHeader      []string `name:"ws-header" group:"ws" sep:"none" placeholder:"'NAME: VALUE'" help:"Sent with the handshake; may be repeated."`
	WSSubprotocol string   `name:"ws-subprotocol" group:"ws" placeholder:"NAME" help:"Asked for; the server must agree to it."`
	WSOrigin      string   `name:"ws-origin" group:"ws" placeholder:"ORIGIN" help:"Origin header of the handshake."`

	NSQLookupd []string `name:"nsqlookupd" group:"nsq" placeholder:"ADDR" help:"Where to ask for the servers of nsq:///."`

	tlsFlags

	ExitOnClose  bool     `group:"process" help:"Exit 0 once the server has closed and all is acked."`
	DrainTimeout period   `group:"process" placeholder:"D" default:"10s" help:"After SIGTERM or SIGINT, to finish in [${default}]."`
	State        string   `group:"process" placeholder:"FILE" help:"Keeps sessions and last acked seq across restarts."`
	Admin        string   `group:"process" placeholder:"ADDR" default:"127.0.0.1:4190" help:"Metrics and readiness; empty: off [${default}]."`
	Maxprocs     maxprocs `group:"process" placeholder:"HOW" default:"quota" help:"GOMAXPROCS: CPU quota, runtime or N [${default}]."`
	logFlags
	Config string `group:"process" placeholder:"FILE" help:"YAML; keys are url and the flags' names."`
}

// Help is the part of run's help before the flags.
func (runCmd) Help() string {
	return `A message is acknowledged once the sink has reported it done. After a lost connection the gateway reconnects, and nothing that the server sends again is lost.

Examples:

    feedgate run fg://feed.example:7000 --sink exec:./handle
    feedgate run fg://a:7000,b:7000 --sink file:in.log --state in.state
    feedgate run tcp://gps:2000 --frame line --sink stdout: --exit-on-close
    feedgate run tcp://q:9000 --frame length:size=2 --ack-template '{n:u64be}{code:u16be}' --sink exec:./handle
    feedgate run wss://feed.example/stream --ack-template 'A{n}' --ws-subprotocol feed.v1 --sink file:stream.log
    feedgate run nsq://queue:4150/orders/archive --sink file:orders.log
    feedgate run nsq:///orders/billing --nsqlookupd a:4161,b:4161 --sink exec:./bill
    feedgate run fg+tls://feed:7443 --tls-ca ca.pem --tls-cert me.pem --tls-key me.key --sink file:in.log
    feedgate run fg://feed:7000 --dispatch key --key json:user --sink exec:./handle
    feedgate run nsq://queue:4150/orders/archive --output '{id} {meta:attempts} {data}' --sink stdout:

Sinks: one is required, as a feed that is acknowledged does not send its messages again. ` + sinks.Help() + `

Workers: with one, messages reach the sink in arrival order. That is the default for ` + sinks.StreamForms() + `, which write one stream and gain nothing from more; otherwise it is GOMAXPROCS.

Framings: line; line:skip-empty; delim:HEX; varint; length:offset=0,size=4,adjust=0,strip=4,order=big.

--idle-timeout is 25s by default, for tcp only with --heartbeat-template; else off.

Selectors: bytes:OFFSET:LENGTH, field:N:SEP (from 1), json:NAME of the top level, json:/A/B by JSON pointer, meta:NAME of what the protocol reports: fg session, seq; nsq id, timestamp, attempts; ws kind.

Templates: bytes with \n \r \t \0 \\ \xHH and {n} {code} {bytes:OFFSET:LENGTH} {field:N:SEP} {json:NAME} {json:/A/B} {meta:NAME} {id} {token} {{, in --output also {data}, numbers also as {n:u64be} and the like. A JSON string is copied as it is in the message, escapes and all; {json:NAME:text} decodes it.

Chunked requests: with --assemble json:ID,COMPLETE,DATA messages are JSON objects; those with the same ID are parts of one, their DATA strings are joined until one has COMPLETE true, and the sink gets that one, once, with all of the DATA.

TLS: 1.2 or later; the server's certificate and name are always verified. With a scheme without TLS its flags are a usage error.

SIGHUP rereads certificates and the token file, for new connections, and reopens the files of --sink and --dead-letter.

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
	log := c.logger(g.stderr)
	end := &lastLines{log: log}
	g.watchdog.setLast(func(code int, why string) {
		end.write(func() {
			if code == exitOK {
				log.Warn(why)
				return
			}
			log.Error("failed", "error", why)
		})
	})
	g.watchdog.setStarting(true)
	err := c.run(ctx, g, log, end)
	end.write(func() { c.explain(g, log, err) })
	return logged(err)
}

// explain writes why the start failed. A reader of JSON lines gets no other line, but for
// faults of usage.
func (c *runCmd) explain(g *globals, log *slog.Logger, err error) {
	switch {
	case c.LogFormat != "json" || isUsage(err):
		printError(g.stderr, err, g.settings.origin, "feedgate run")
	case unlogged(err) != nil:
		log.Error("failed", "error", unlogged(err))
	}
}

func (c *runCmd) run(ctx context.Context, g *globals, log *slog.Logger, end *lastLines) error {
	if len(c.URL) == 0 {
		c.URL = g.settings.upstreams()
	}
	if len(c.URL) == 0 {
		return usagef("no URL: name the feed, as in feedgate run fg://HOST:PORT --sink exec:./handle")
	}
	reportMaxprocs := c.Maxprocs.set() // before the gateways, whose workers default to it

	secrets, planned, err := c.check()
	if err != nil {
		return err
	}
	c.describe(log, planned)
	end.from(func() gateway.Totals { return gateway.Totals{} })
	reportMaxprocs(log)
	g.settings.warnUnknown(log)
	hurry, over := hurried(ctx, g.abort, time.Duration(c.DrainTimeout))
	defer over()
	u := &upstreams{log: log, hurry: hurry, watchdog: g.watchdog}
	if err := c.open(u, secrets, g); err != nil {
		return errors.Join(err, u.close())
	}
	if err := u.startSink(ctx); err != nil {
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
	r.addReopen("--sink", u.sink)
	r.addReopen("--dead-letter", u.deadLetters)
	return r
}

// open fills in u, also when it fails halfway. The admin address comes first: if it was
// given, a second process that is started by mistake finds it in use before it touches the
// first one's files.
func (c *runCmd) open(u *upstreams, secrets secrets, g *globals) (err error) {
	if u.admin, err = listenAdmin(c.Admin, g.settings.given("admin"), u.log); err != nil {
		return err
	}
	if u.sink, err = openSink("--sink", c.Sink, c.sinkConfig(g, u)); err != nil {
		return err
	}
	if c.DeadLetter != "" {
		if u.deadLetters, err = openSink("--dead-letter", c.DeadLetter, c.sinkConfig(g, u)); err != nil {
			return err
		}
	}
	if c.State != "" {
		if u.state, err = gateway.OpenState(c.State, u.log); err != nil {
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
		return nil, usageError{err}
	}
	return out, err
}

func (c *runCmd) sinkConfig(g *globals, u *upstreams) sink.Config {
	return sink.Config{
		Log:          u.log,
		Stdout:       g.stdout,
		ReconnectMin: time.Duration(c.ReconnectMin),
		ReconnectMax: time.Duration(c.ReconnectMax),
		Hurry:        u.hurry,
	}
}

// addUpstreams makes a gateway, or a fleet of them, for each URL.
func (c *runCmd) addUpstreams(u *upstreams, secrets secrets) error {
	labels := uniqueLabels(c.URL)
	for i, url := range c.URL {
		cfg := c.config(url, labels[i], secrets, u.log)
		cfg.Sink, cfg.State = u.sink, u.state
		if u.deadLetters != nil {
			cfg.DeadLetters = u.deadLetters
		}
		if fleet.Named(url) {
			f, err := fleet.New(c.fleet(cfg))
			if err != nil {
				return usageError{err}
			}
			u.fleets = append(u.fleets, f)
			continue
		}
		gw, err := gateway.New(cfg)
		if err != nil {
			return usageError{err}
		}
		u.gateways = append(u.gateways, gw)
	}
	return nil
}
