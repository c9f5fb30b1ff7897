// Command feedgate-bench is the benchmark harness of feedgate, which runs it as feedgate
// bench and feedgate report.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"feedgate/cmd/feedgate/cli"
)

// commands is the command line. Every command is a struct of its flags with a method Run. Help and
// errors name feedgate, because users run it by that.
type commands struct {
	Bench   benchCmd   `cmd:"" help:"Measure feedgate and what one would write instead."`
	Report  reportCmd  `cmd:"" help:"Tables and plots of bench's results."`
	Version versionCmd `cmd:"" help:"Print version, Go version and commit, like --version."`

	BenchSubject benchSubjectCmd `cmd:"" hidden:""`
	BenchFeed    benchFeedCmd    `cmd:"" hidden:""`
	BenchNsqd    benchNsqdCmd    `cmd:"" hidden:""`

	BenchDestination benchDestinationCmd `cmd:"" hidden:""`
}

// globals is passed to every command, in addition to its flags.
type globals struct {
	stdout io.Writer // data
	stderr io.Writer // everything else

	// terminal is standard error, if that is a terminal; nil otherwise.
	terminal *os.File
}

func main() {
	ctx, stop := interruptible()
	g := &globals{stdout: os.Stdout, stderr: cli.Stderr()}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		g.terminal = os.Stderr
	}
	status := execute(ctx, os.Args[1:], g)
	stop()
	os.Exit(status)
}

// interruptible returns a context that the first SIGINT or SIGTERM cancels. The second one ends the
// process.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "feedgate: ended at once, by a second signal")
		os.Exit(cli.ExitFailure)
	}()
	return ctx, cancel
}

// execute runs a command line and returns the exit status.
func execute(ctx context.Context, args []string, g *globals) int {
	var environment cli.Environment
	helped := false
	parser, err := kong.New(&commands{},
		kong.Name("feedgate"),
		kong.Description("These two commands of feedgate are a program of their own, feedgate-bench."),
		kong.Writers(g.stdout, g.stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Resolvers(&environment),
		kong.Bind(g),
	)
	if err != nil {
		panic(err) // a fault in the tags of commands
	}
	command, err := parser.Parse(cli.WithVersion(args))
	if helped {
		return cli.ExitOK
	}
	var fault *kong.ParseError
	if errors.As(err, &fault) {
		command = fault.Context
	}
	help := "feedgate"
	if command != nil && command.Selected() != nil {
		help += " " + command.Selected().Name
	}
	if err == nil {
		command.BindTo(ctx, (*context.Context)(nil))
		err = command.Run()
	}
	if err != nil {
		cli.PrintError(g.stderr, err, environment.Origin, help)
	}
	return cli.Status(err)
}

// screen returns where progress is shown.
func (g *globals) screen() io.Writer {
	if g.terminal != nil {
		return g.terminal
	}
	return g.stderr
}
