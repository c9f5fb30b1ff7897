// Command feedgate connects to a feed server, distributes its messages to workers and sends
// their acknowledgements back in batches.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"feedgate/cmd/feedgate/cli"
)

// commands are the commands of the command line. Each is a struct of its flags with a method
// Run(context.Context, *globals) error.
type commands struct {
	Run     runCmd     `cmd:"" help:"Connect to feed servers, process and acknowledge their messages."`
	Check   checkCmd   `cmd:"" help:"Report everything wrong with the flags of run, and change nothing."`
	Demo    demoCmd    `cmd:"" help:"See it work: an embedded feed and a gateway, 10 s, no setup."`
	Feed    feedCmd    `cmd:"" help:"Serve a test feed, synthetic or replayed, and check every ack."`
	Top     topCmd     `cmd:"" help:"Show what a running gateway does, live."`
	Bench   benchCmd   `cmd:"" help:"Compare the speed of feedgate with hand-written programs."`
	Report  benchCmd   `cmd:"" help:"Print tables and plots of bench results."`
	Version versionCmd `cmd:"" help:"Print the version, Go version and commit, as does --version."`

	BenchSubject benchSubjectCmd `cmd:"" hidden:""`
}

// newCommands returns a command line without values. run and check have the flags of protocols and
// sinks.
func newCommands() *commands {
	c := &commands{}
	for _, run := range []*runCmd{&c.Run, &c.Check.runCmd} {
		run.flags, run.sinkFlags = protocols.NewFlags(), sinks.NewFlags()
		run.OfProtocols, run.OfSinks = run.flags.Groups(), run.sinkFlags.Groups()
	}
	return c
}

const description = `feedgate connects to a feed server, reads its messages in bulk, distributes them to workers and acknowledges each one once it is done.

Start with "feedgate demo".`

// globals is the state that all commands share.
type globals struct {
	stdout io.Writer // data
	stderr io.Writer // everything else; a logWriter, except in tests

	// terminal is standard error if that is a terminal, else nil. The live line overwrites itself
	// there.
	terminal *os.File
	// dataOnTerminal: run writes messages to a terminal, where a live line would be mixed with them.
	dataOnTerminal bool

	// abort is closed at the second SIGINT or SIGTERM; the first cancels the
	// command's context.
	abort <-chan struct{}

	hangups  <-chan os.Signal // SIGHUP; only run receives it
	watchdog *watchdog        // nil in some tests

	settings *settings
}

func main() {
	// Nothing of ours uses package log. net/http does, and quotes what a server has sent.
	log.SetOutput(io.Discard)
	if len(os.Args) > 1 && benchRuns(os.Args[1]) {
		os.Exit(becomeBench(os.Args[1:], cli.Stderr()))
	}
	caught := catchSignals(os.Args[1:])
	os.Exit(reapingOrphans(func() int {
		stderr := newLogWriter(cli.Stderr())
		defer stderr.flush()
		return execute(caught, os.Args[1:], os.Stdout, stderr)
	}))
}

// lastFlush is how long the watchdog waits until its last line is written.
const lastFlush = 50 * time.Millisecond

// execute is main without global state, so that tests can call it. It returns the exit status.
func execute(caught *signals, args []string, stdout, stderr io.Writer) int {
	w := newWatchdog(func(code int) {
		if log, ok := stderr.(*logWriter); ok {
			log.flushFor(lastFlush)
		}
		os.Exit(code)
	}, func(_ int, why string) { fmt.Fprintf(stderr, "feedgate: %s\n", why) })
	defer w.stop()
	ctx, abort, stop := caught.watch(w)
	defer stop()
	g := &globals{stdout: stdout, stderr: stderr, abort: abort, hangups: caught.hangups, watchdog: w, settings: newSettings()}
	if _, ok := stderr.(*logWriter); ok && term.IsTerminal(int(os.Stderr.Fd())) {
		g.terminal = os.Stderr
	}

	line, err := parse(args, g)
	w.setStarting(false)
	if line.helped {
		return cli.ExitOK
	}
	help := "feedgate"
	if line.context != nil && line.context.Selected() != nil {
		help += " " + line.context.Selected().Name
	}
	if err == nil {
		line.context.BindTo(ctx, (*context.Context)(nil))
		err = line.context.Run(g)
	}
	if err != nil {
		printError(stderr, err, g, help)
	}
	return cli.Status(err)
}

// commandLine is a parsed command line.
type commandLine struct {
	commands *commands
	context  *kong.Context // after an error, the part before it, or nil
	helped   bool          // the help was printed, as args requested
}

// parse parses args. It takes flags that are not in args from g.settings. Its error has all faults; those
// of check are in g.settings instead.
func parse(args []string, g *globals) (commandLine, error) {
	line := commandLine{commands: newCommands()}
	parser, err := kong.New(line.commands,
		kong.Name("feedgate"),
		kong.Description(description),
		kong.Writers(g.stdout, g.stderr),
		kong.Exit(func(int) { line.helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ExplicitGroups(append(runGroups(), feedGroups()...)),
		kong.Vars{"urls": protocols.Forms(), "streams": sinks.StreamForms()},
		kong.Resolvers(g.settings),
		kong.Bind(g.settings),
	)
	if err != nil {
		panic(err) // a fault in the tags of commands
	}
	parser.Model.HelpFlag.Help = "Show this help."
	g.settings.setKnown(parser.Model)
	collectFaults(parser.Model, g.settings)
	parseArgs(parser, cli.WithVersion(args), g.settings, &line)
	if checks(line.context) {
		return line, nil // it reports the faults, with those that only it can find
	}
	return line, usageOf(g.settings.faults)
}

// screen returns the writer for progress.
func (g *globals) screen() io.Writer {
	if g.terminal != nil {
		return g.terminal
	}
	return g.stderr
}
