package sinktest

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// NoRaceSleep, in GORACE, keeps a process under the race detector from sleeping for a second
// when it exits.
const NoRaceSleep = "atexit_sleep_ms=0"

// aloneEnv tells a test that it runs in a process of its own.
const aloneEnv = "FEEDGATE_SINK_TEST_ALONE"

// Alone reports whether the test runs in a process of its own.
func Alone() bool { return os.Getenv(aloneEnv) != "" }

// InOwnProcess prepares to run a test again in a process of its own.
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
