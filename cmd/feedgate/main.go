// Command feedgate connects out to a feed server, fans its messages to workers
// and sends their acknowledgements back in batches.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"feedgate/cmd/feedgate/cli"
)

// commands is the command line. Every command is a struct of its flags with a method
// Run(context.Context, *globals) error.
type commands struct {
	Run     runCmd     `cmd:"" help:"Connect to feeds, hand their messages on, acknowledge them."`
	Demo    demoCmd    `cmd:"" help:"See it work: an embedded feed, a gateway, ten seconds, no set-up."`
	Feed    feedCmd    `cmd:"" help:"Serve a feed, synthetic or replayed, and check every ack."`
	Bench   benchCmd   `cmd:"" help:"Measure it beside what one would write instead."`
	Report  benchCmd   `cmd:"" help:"Tables and plots of what bench has measured."`
	Version versionCmd `cmd:"" help:"Print version, Go version and commit; --version does, too."`

	BenchSubject benchSubjectCmd `cmd:"" hidden:""`
}

// newCommands is a command line without values. The flags of protocols and sinks are those of run.
func newCommands() *commands {
	c := &commands{}
	c.Run.flags, c.Run.sinkFlags = protocols.NewFlags(), sinks.NewFlags()
	c.Run.OfProtocols, c.Run.OfSinks = c.Run.flags.Groups(), c.Run.sinkFlags.Groups()
	return c
}

const description = `feedgate reads a feed's messages in bulk, fans them to workers, and acknowledges each once it is done.

Start with "feedgate demo".`

// globals is what every command is given beside its flags.
type globals struct {
	stdout io.Writer // data
	stderr io.Writer // everything else; a logWriter, but in tests

	// terminal is standard error if it is a terminal, for what writes over itself.
	terminal *os.File

	// abort is closed at the second SIGINT or SIGTERM; the first cancels the
	// command's context.
	abort <-chan struct{}

	hangups  <-chan os.Signal // SIGHUP, of run
	watchdog *watchdog        // nil: none, in tests

	settings *settings
}

func main() {
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

// lastFlush is how long the watchdog waits for the reader of its last line.
const lastFlush = 50 * time.Millisecond

// execute is main with its surroundings as arguments. It returns the exit status.
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

// commandLine is what parse made of the arguments.
type commandLine struct {
	commands *commands
	context  *kong.Context // after an error as far as it goes, or nil
	helped   bool          // help was asked for and printed
}

// parse reads args, and from g.settings what they leave open.
func parse(args []string, g *globals) (commandLine, error) {
	line := commandLine{commands: newCommands()}
	parser, err := kong.New(line.commands,
		kong.Name("feedgate"),
		kong.Description(description),
		kong.Writers(g.stdout, g.stderr),
		kong.Exit(func(int) { line.helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ExplicitGroups(runGroups()),
		kong.Vars{"urls": protocols.Forms(), "streams": sinks.StreamForms()},
		kong.Resolvers(g.settings),
		kong.Bind(g.settings),
	)
	if err != nil {
		panic(err) // a fault in the tags of commands
	}
	g.settings.know(parser.Model)
	line.context, err = parser.Parse(cli.WithVersion(args))
	var fault *kong.ParseError
	if errors.As(err, &fault) {
		line.context = fault.Context
	}
	return line, err
}

// screen is where progress is shown.
func (g *globals) screen() io.Writer {
	if g.terminal != nil {
		return g.terminal
	}
	return g.stderr
}
