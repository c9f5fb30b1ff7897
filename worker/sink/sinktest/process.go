package sinktest

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// NoRaceSleep is a value for GORACE: a process under the race detector exits at once, without
// sleeping for a second.
const NoRaceSleep = "atexit_sleep_ms=0"

// aloneEnv is set in a test that runs in a process of its own.
const aloneEnv = "FEEDGATE_SINK_TEST_ALONE"

// Alone reports whether the test runs in a process of its own.
func Alone() bool { return os.Getenv(aloneEnv) != "" }

// InOwnProcess returns the command that runs the test again, in a process of its own, and its
// output.
func InOwnProcess(t *testing.T) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=30s")
	cmd.Env = append(os.Environ(), aloneEnv+"=1", "GORACE="+NoRaceSleep, "TMPDIR="+t.TempDir())
	output := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = output, output
	return cmd, output
}
