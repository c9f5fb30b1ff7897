package main

import (
	"errors"
	"io"

	"feedgate/cmd/feedgate/cli"
)

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

// printError is [cli.PrintError] of what was not logged.
func printError(w io.Writer, err error, g *globals, help string) {
	cli.PrintError(w, unlogged(err), g.settings.Origin, help)
}
