package exec

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"feedgate/worker/sink"
)

// probe returns Probe of [sink.Target]. It starts nothing.
func probe(command string) func(context.Context, *sink.Config) (string, error) {
	return func(context.Context, *sink.Config) (string, error) { return probeProgram(command) }
}

// shell are words with which a command may begin and that are no programs: builtins and reserved words
// of sh that occur there (POSIX.1-2017, XCU 2.4, 2.14).
var shell = []string{
	".", ":", "case", "cd", "eval", "export", "for", "if", "read", "set", "trap", "ulimit", "umask", "until", "while",
}

// probeProgram finds the program of a command, as the shell would. If the shell must do more than that
// to know it, nothing is found out.
func probeProgram(command string) (found string, err error) {
	if _, err := exec.LookPath("/bin/sh"); err != nil {
		return "", err
	}
	for word := range strings.FieldsSeq(command) {
		switch {
		case word == "exec":
			continue
		case strings.ContainsAny(word, "\"'`$\\*?[](){}<>|&;#~!"), slices.Contains(shell, word):
			return "not checked: the command begins with a word of the shell, or with what the shell expands, and not with the name of a program", nil
		}
		if strings.Contains(word, "=") {
			continue // a variable, as label knows it
		}
		path, err := exec.LookPath(word)
		if errors.Is(err, exec.ErrDot) {
			err = nil // the shell searches the current directory, too, if the PATH has it
		}
		if err != nil {
			return "", fmt.Errorf("its program cannot be executed: %w", err)
		}
		return path + " is executable", nil
	}
	return "", errors.New("it has no program")
}
