package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway"
	"feedgate/gateway/admin/view"
	"feedgate/worker"
	"feedgate/worker/credential"

	"github.com/alecthomas/kong"
)

// checkCmd reports what is wrong with the flags of run, in the environment and in the configuration
// file, too. It finds faults by the code with which run does, and changes nothing. All its output goes to
// standard output.
type checkCmd struct {
	Print   bool `group:"check" cmdline:"" help:"Print all settings as YAML for --config, with their origins."`
	Connect bool `group:"check" cmdline:"" help:"Also connect to every server and look at the sink; take no message."`
	FG1     bool `name:"fg1" group:"check" cmdline:"" help:"Test an FG/1 server, rule by rule; needs --consume."`
	Consume bool `group:"check" cmdline:"" help:"With --fg1: take and acknowledge messages of the server."`

	runCmd
}

// Help is the part of check's help before the flags.
func (checkCmd) Help() string {
	return `Takes the flags of run, which feedgate run --help explains, and those under Check. It prints one line per fault, with its flag, environment variable or file and line, and exits with status 2. If there is none, it prints what would run. A file of --sink, --dead-letter or --state that run could not write, as far as that can be seen at once, is a fault, too. It opens no sink, locks and changes no state file, starts no child and listens on no port.

With --print, the output is all settings as YAML, each with its origin. --config accepts that, with the same result. Secrets are printed as the paths of their files. What looks like a literal secret in a header, a URL, a template or a command is left out with the whole value, a comment says so, and the exit status is 1. Secrets cannot be told for sure: look at the output before you pass it on. As in the log, the lines of what would run have URLs with their paths and without their queries.

With --connect, each host of each URL gets a line: what was found (address, version of TLS, when the certificate expires, protocol), or what failed and which flag helps. The login goes as far as possible without taking a message, in a session of its own; the line names what was not sent. To the server it is a client that leaves again: a feedgate feed counts it among its --clients, and the messages of its session as missing. A line for the sink follows: whether its directory can be written to and has space, or its program is executable. --connect-timeout limits each step.

With --fg1, it tests an FG/1 server instead, of which it takes messages and acknowledges them: do that with a test server. Each line is a rule of the protocol; docs/fg1-servers.md explains them. --sink is not needed.

Examples:

    feedgate check --config feedgate.yaml
    feedgate check fg+tls://feed:7443 --tls-ca ca.pem --sink file:in.log --connect
    feedgate check fg://feed:7000 --sink exec:./handle --print > feedgate.yaml
    feedgate check --fg1 --consume fg://127.0.0.1:7000

Exit status: 0: no fault; 1: a connection failed, a rule is broken, or a literal secret was left out; 2: faults.`
}

// Run runs what the flags under Check ask for.
func (c *checkCmd) Run(ctx context.Context, line *kong.Context, g *globals) error {
	defer context.AfterFunc(ctx, g.watchdog.hurry)() // a file, or whatever check waits for, may not answer
	return c.checkSettings(ctx, line.Selected().Flags, g)
}

// checkSettings checks the settings of run; flags are those of the command line.
func (c *checkCmd) checkSettings(ctx context.Context, flags []*kong.Flag, g *globals) error {
	out := &checkOutput{w: g.stdout}
	c.defaultSink()
	secrets, planned, report, err := c.prepare(g)
	err = errors.Join(err, c.fg1Faults(planned))
	if c.State != "" {
		err = errors.Join(err, c.probeState(ctx, planned))
	}
	if !c.Connect && !c.FG1 {
		err = errors.Join(err, c.probeFiles(ctx, g, secrets))
	}
	if lines := c.faultLines(g.settings, err); len(lines) > 0 {
		out.masks.Add(secrets.token, secrets.sink.Password)
		for _, line := range lines {
			out.line(line)
		}
		g.settings.warnUnknown(slog.New(warningHandler{out: out}))
		return cli.ExitError{Code: cli.ExitUsage}
	}
	if c.FG1 {
		return c.testServer(ctx, g, secrets, &planned[0])
	}
	out.masks.Add(secrets.token, secrets.sink.Password)
	failed := false
	if c.Print {
		if failed, err = c.print(flags, g, planned, &out.masks); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
		out.prefix = "# "
	}
	for i := range planned {
		out.line("would run:" + attrText(c.description(&planned[i])))
	}
	c.logWarnings(slog.New(warningHandler{out: out}), secrets, planned, report)
	if c.Connect {
		failed = !c.connect(ctx, g, secrets, planned, out) || failed
	}
	if err := out.err; err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if failed {
		return cli.ExitError{Code: cli.ExitFailure}
	}
	return nil
}

// faultLines returns a line for each fault that parsing has found, and for each in err. What follows from
// a fault is left out: a flag whose value is at fault has its default, and without the configuration
// file there are settings missing.
func (c *checkCmd) faultLines(s *settings, err error) []string {
	parsed := errors.Join(s.faults...)
	lines := cli.ErrorLines(parsed, s.Origin)
	if s.unloaded {
		return lines
	}
	known := make(map[string]bool)
	for _, line := range lines {
		known[cli.FlagAtFault(line)] = true
	}
	for _, line := range cli.ErrorLines(err, s.Origin) {
		flag := cli.FlagAtFault(line)
		if flag != "" && known[flag] {
			continue
		}
		if flag == "" {
			line += c.urlOrigin(line)
		}
		lines = append(lines, line)
	}
	return lines
}

// urlOrigin returns where the URL comes from whose label a line begins with, to be appended to it.
func (c *checkCmd) urlOrigin(line string) string {
	for i, label := range uniqueLabels(c.URL) {
		if i < len(c.urlOrigins) && strings.HasPrefix(line, label+": ") {
			return " (set by " + c.urlOrigins[i] + ")"
		}
	}
	return ""
}

// logWarnings logs the warnings with which run would start.
func (c *checkCmd) logWarnings(log *slog.Logger, s secrets, planned []gateway.Config, report func(*slog.Logger)) {
	report(log)
	for _, cfg := range planned {
		if len(cfg.Hosts) == 0 {
			continue // its servers are not known
		}
		cfg.Log, cfg.Sink = log, worker.Each(nil)
		if c.State != "" {
			cfg.State = new(gateway.State) // not open: only that there is one matters
		}
		if gw, err := gateway.New(cfg); err == nil { // Validate has checked it
			gw.LogWarnings()
		}
	}
}

// checkOutput writes the lines of check, with secrets masked and without control characters, which may come
// from a server's certificate.
type checkOutput struct {
	w      io.Writer
	prefix string // of each line
	masks  credential.Masks
	err    error // the first one
}

func (o *checkOutput) line(text string) {
	text = view.Clean(strings.ReplaceAll(o.masks.Text(text), "\n", "; "))
	_, err := fmt.Fprintln(o.w, o.prefix+text)
	if o.err == nil {
		o.err = err
	}
}

// attrText formats the attributes of a log line, each after a space.
func attrText(attrs []any) string {
	var r slog.Record
	r.Add(attrs...)
	var text strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		value := a.Value.String()
		if value == "" || strings.ContainsAny(value, " \"=\n") {
			value = fmt.Sprintf("%q", value)
		}
		fmt.Fprintf(&text, " %s=%s", a.Key, value)
		return true
	})
	return text.String()
}

// warningHandler writes warnings and errors of a log as lines of check.
type warningHandler struct {
	out   *checkOutput
	attrs []slog.Attr
}

// Enabled implements [slog.Handler].
func (h warningHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

// Handle implements [slog.Handler].
func (h warningHandler) Handle(_ context.Context, r slog.Record) error {
	r = r.Clone()
	r.AddAttrs(h.attrs...)
	var attrs []any
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	h.out.line("warning: " + r.Message + attrText(attrs))
	return nil
}

// WithAttrs implements [slog.Handler].
func (h warningHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.attrs = slices.Concat(h.attrs, attrs)
	return h
}

// WithGroup implements [slog.Handler]. No warning has groups.
func (h warningHandler) WithGroup(string) slog.Handler { return h }
