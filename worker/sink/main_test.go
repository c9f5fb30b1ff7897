package sink

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// childEnv makes the test binary a child of exec:, in the mode that it names.
const childEnv = "FEEDGATE_SINK_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childEnv); mode != "" {
		os.Exit(childMain(mode))
	}
	goleak.VerifyTestMain(m)
}

// noRaceSleep keeps a process under the race detector from sleeping for a second
// when it exits.
const noRaceSleep = "atexit_sleep_ms=0"

// aloneEnv tells a test that it runs in a process of its own.
const aloneEnv = "FEEDGATE_SINK_TEST_ALONE"

func alone() bool { return os.Getenv(aloneEnv) != "" }

// inOwnProcess prepares to run a test again in a process of its own.
func inOwnProcess(t *testing.T) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=30s")
	cmd.Env = append(os.Environ(), aloneEnv+"=1", "GORACE="+noRaceSleep, "TMPDIR="+t.TempDir())
	output := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = output, output
	return cmd, output
}
