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

// benchProgram is the binary that runs the commands bench and report. It contains the benchmark
// subjects, plots and fonts, so that feedgate need not.
const benchProgram = "feedgate-bench"

// benchRuns reports whether benchProgram runs a command.
func benchRuns(command string) bool { return command == "bench" || command == "report" }

// benchCmd lists a command of benchProgram in the help. main never parses its arguments.
type benchCmd struct {
	Args []string `arg:"" optional:"" passthrough:""`
}

// Help is the help of feedgate --help bench; benchProgram prints that of feedgate bench --help.
func (benchCmd) Help() string {
	return `This command runs ` + benchProgram + `, a separate program, from the directory of feedgate or the PATH. For its flags: feedgate bench --help, or feedgate report --help.`
}

// Run is called if the command is not the first argument, as after "--".
func (benchCmd) Run() error {
	return cli.Usagef("bench and report must be the first argument, as in feedgate bench --help")
}

// becomeBench replaces this process with benchProgram, which inherits its streams, signals and
// process ID. It returns only on failure, with the exit status.
func becomeBench(args []string, stderr io.Writer) int {
	warnOfVariables(stderr)
	path, err := findBench()
	if err == nil {
		err = fmt.Errorf("%s: %w", path, syscall.Exec(path, append([]string{benchProgram}, args...), os.Environ()))
	}
	cli.PrintError(stderr, fmt.Errorf("%s: %w", args[0], err), func(string) string { return "" }, "")
	return cli.ExitFailure
}

// findBench returns the path of benchProgram, in the directory of this program or in the PATH.
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
	return "", fmt.Errorf(`%[1]s is neither in %[2]s nor in the PATH
to build it, run this in the source of feedgate: make build
or, to put it there: go build -C bench -o %[3]s ./cmd/%[1]s`, benchProgram, filepath.Dir(self), beside)
}

// warnOfVariables prints the names of environment variables with our prefix that set no flag.
func warnOfVariables(w io.Writer) {
	g := &globals{stdout: io.Discard, stderr: io.Discard, settings: newSettings()}
	if _, err := parse(nil, g); err != nil { // always: no command; but the flags are known then
		g.settings.printUnknown(w)
	}
}

// benchSubjectCmd is started by feedgate-bench for a subject feedgate@PATH if PATH is this program.
type benchSubjectCmd struct {
	Args []string `arg:"" optional:"" passthrough:""`
}

// Run returns an error that shows the right PATH.
func (benchSubjectCmd) Run() error {
	return cli.Usage(errors.New("this is feedgate, which cannot be measured alone: after the @, name the " + benchProgram + " of the same build"))
}

// benchFlags are the flags of benchProgram. Its environment variables are no unknown ones.
var benchFlags = []string{
	"subjects", "size", "workers", "msgs", "duration", "rate", "work", "read", "keys", "key-form", "rounds", "out", "fail-if", "html",
}
