package main

import "io"

// run runs a command line as main does, and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	return execute(catchSignals(args), args, stdout, stderr)
}
