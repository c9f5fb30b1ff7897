package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit statuses. A status that belongs to one command alone, such as that of a
// crossed threshold, is an exitError of that command.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// usageError is a fault of the command line, the environment or the
// configuration file. It ends the process with status 2 and a pointer to the
// help; each line of its text is a fault of its own and begins with the flag or
// address at fault.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usagef makes a usageError.
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// exitError ends the process with status code. err may be nil when everything
// was said already.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// loggedError is an error that was logged when it happened, and is not printed again.
type loggedError struct{ error }

func (e loggedError) Unwrap() error { return e.error }

// unlogged is err without the errors that were logged; nil if all were.
func unlogged(err error) error {
	switch e := err.(type) {
	case loggedError:
		return nil
	case interface{ Unwrap() []error }:
		var left []error
		for _, one := range e.Unwrap() {
			left = append(left, unlogged(one))
		}
		return errors.Join(left...)
	}
	return err
}

// exitStatus is the process's exit status for what a command returned.
func exitStatus(err error) int {
	var exit exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	case isUsage(err):
		return exitUsage
	default:
		return exitFailure
	}
}

func isUsage(err error) bool {
	var usage usageError
	var parse *kong.ParseError
	return errors.As(err, &usage) || errors.As(err, &parse)
}

// maxErrorLine leaves room in a line of maxLogLine for the text around an error, in bytes.
const maxErrorLine = maxLogLine - 64

// printError writes err to w, without what was logged, each line once. origin is where the
// value of a flag came from, if not from the command line; help is the command whose help
// a usage error points to.
func printError(w io.Writer, err error, origin func(flag string) string, help string) {
	var exit exitError
	if errors.As(err, &exit) && exit.err == nil {
		return
	}
	left := unlogged(err)
	if left == nil {
		return
	}
	seen := make(map[string]bool)
	for line := range strings.SplitSeq(errorText(left), "\n") {
		if line == "" || seen[line] {
			continue
		}
		seen[line] = true
		if from := origin(flagAtFault(line)); from != "" {
			line += " (set by " + from + ")"
		}
		fmt.Fprintf(w, "feedgate: %s\n", cut(line, maxErrorLine))
	}
	if isUsage(err) {
		fmt.Fprintf(w, "feedgate: see %s --help\n", help)
	}
}

// errorText is the text of err. If arguments are on both sides of the flags, which kong does
// not accept, it shows where they go, and does not quote them: a URL can hold secrets.
func errorText(err error) string {
	var parse *kong.ParseError
	text := err.Error()
	if !errors.As(err, &parse) || !strings.HasPrefix(text, "unexpected argument ") {
		return text
	}
	command := parse.Context.Selected()
	if command == nil || len(command.Positional) == 0 {
		return text
	}
	name := command.Positional[0].Name
	return fmt.Sprintf("unexpected argument after the flags: put all %[2]ss together in front of them, as in feedgate %[1]s %[2]s1 %[2]s2 --FLAG ...",
		command.Name, name)
}

// flagAtFault is the name of the flag that an error text begins with, or "".
func flagAtFault(line string) string {
	name, found := strings.CutPrefix(line, "--")
	if !found {
		return ""
	}
	end := strings.IndexAny(name, ": =")
	if end < 0 {
		return name
	}
	return name[:end]
}
