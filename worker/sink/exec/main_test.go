package exec

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
)

// childEnv is the mode of a test binary that is a child of exec:.
const childEnv = "FEEDGATE_SINK_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childEnv); mode != "" {
		os.Exit(childMain(mode))
	}
	goleak.VerifyTestMain(m)
}

// openExec opens a sink, and closes it at the end of the test.
func openExec(t testing.TB, command string, grace time.Duration, cfg sink.Config) *execSink {
	t.Helper()
	sinktest.VerifyNoLeaks(t)
	s := newExec(command, sinktest.Prepare(t, cfg), grace)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the sink: %v", err)
		}
	})
	return s
}
