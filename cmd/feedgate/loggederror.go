package main

import (
	"errors"
	"io"

	"feedgate/cmd/feedgate/cli"
)

// loggedError marks an error that was logged when it happened, so that it is not printed again.
type loggedError struct{ error }

func (e loggedError) Unwrap() error { return e.error }

// unlogged returns err without its logged errors; nil if all were logged.
func unlogged(err error) error {
	switch e := err.(type) {
	case loggedError:
		return nil
	case interface{ Unwrap() []error }:
		var rest []error
		for _, one := range e.Unwrap() {
			rest = append(rest, unlogged(one))
		}
		return errors.Join(rest...)
	}
	return err
}

// printError prints the part of err that was not logged, as [cli.PrintError] does.
func printError(w io.Writer, err error, g *globals, help string) {
	cli.PrintError(w, unlogged(err), g.settings.Origin, help)
}
