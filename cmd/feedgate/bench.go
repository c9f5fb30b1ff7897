package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"feedgate/cmd/feedgate/cli"
)

// benchProgram is the program of the commands bench and report. It has the subjects, the
// plots and the fonts, which this program does without.
const benchProgram = "feedgate-bench"

// benchRuns reports whether a command is benchProgram's.
func benchRuns(command string) bool { return command == "bench" || command == "report" }

// benchCmd is a command of benchProgram, in the help only: main never parses its arguments.
type benchCmd struct {
	Args []string `arg:"" optional:"" passthrough:""`
}

// Help is the command's help where this program prints it.
func (benchCmd) Help() string {
	return `It is a program of its own, ` + benchProgram + `, in the directory of feedgate or in the PATH, and has its own --help.`
}

// Run is reached if main did not see the command, as behind a "--".
func (benchCmd) Run() error {
	return cli.Usagef("bench and report are the first argument, as in feedgate bench --help")
}

// becomeBench replaces this process with benchProgram, so that streams, signals and the exit
// status are that program's. It returns only if it cannot, with the exit status.
func becomeBench(args []string, stderr io.Writer) int {
	warnOfVariables(stderr)
	path, err := findBench()
	if err == nil {
		err = fmt.Errorf("%s: %w", path, syscall.Exec(path, append([]string{benchProgram}, args...), os.Environ()))
	}
	cli.PrintError(stderr, fmt.Errorf("%s: %w", args[0], err), func(string) string { return "" }, "")
	return cli.ExitFailure
}

// findBench finds benchProgram beside this program, or in the PATH.
func findBench() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	beside := filepath.Join(filepath.Dir(self), benchProgram)
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	if path, err := exec.LookPath(benchProgram); err == nil {
		return path, nil
	}
	return "", fmt.Errorf(`there is no %[1]s in %[2]s or in the PATH
to build it, in the source of feedgate: make build
or, to have it there: go build -C bench -o %[3]s ./cmd/%[1]s`, benchProgram, filepath.Dir(self), beside)
}

// warnOfVariables prints the variables with our prefix that no flag has.
func warnOfVariables(w io.Writer) {
	g := &globals{stdout: io.Discard, stderr: io.Discard, settings: newSettings()}
	if _, err := parse(nil, g); err != nil { // no command, which is an error; the flags are known
		g.settings.printUnknown(w)
	}
}

// benchSubjectCmd answers a feedgate-bench that was told to measure feedgate@PATH.
type benchSubjectCmd struct {
	Args []string `arg:"" optional:"" passthrough:""`
}

// Run reports what to name instead.
func (benchSubjectCmd) Run() error {
	return cli.Usage(errors.New("feedgate has no subjects of bench: after the @, name the " + benchProgram + " of the same build"))
}

// benchFlags are the flags of benchProgram. Their variables are known.
var benchFlags = []string{
	"subjects", "size", "workers", "msgs", "duration", "rate", "work", "read", "rounds", "out", "fail-if", "html",
}
