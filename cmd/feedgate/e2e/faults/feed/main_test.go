package feed

import (
	"os"
	"testing"

	"github.com/rs/zerolog"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// raceBuild is set if the binary under test has the race detector, which takes about ten times
// the CPU time and several times the memory.
var raceBuild = os.Getenv("FEEDGATE_TEST_RACE") == "1"

func TestMain(m *testing.M) {
	if log := os.Getenv(childVariable); log != "" {
		runChild(log)
		return
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy partly ignores the logger that it is given
	var flags []string
	if raceBuild {
		flags = append(flags, "-race")
	}
	os.Exit(testkit.Run(m, "../../../../..", flags...))
}
