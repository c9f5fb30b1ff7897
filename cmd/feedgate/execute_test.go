package main

import "io"

// run runs a command as main does.
func run(args []string, stdout, stderr io.Writer) int {
	return execute(catchSignals(args), args, stdout, stderr)
}
