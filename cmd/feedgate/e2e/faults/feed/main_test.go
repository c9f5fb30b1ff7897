package feed

import (
	"os"
	"testing"

	"github.com/rs/zerolog"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// raceBuild says that the binary under test carries the race detector, which costs about
// ten times the processor and several times the memory.
var raceBuild = os.Getenv("FEEDGATE_TEST_RACE") == "1"

func TestMain(m *testing.M) {
	if log := os.Getenv(childVariable); log != "" {
		runChild(log)
		return
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy's own logger cannot be chosen everywhere
	var flags []string
	if raceBuild {
		flags = append(flags, "-race")
	}
	os.Exit(testkit.Run(m, "../../../../..", flags...))
}
