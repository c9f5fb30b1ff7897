package mutate

import (
	"flag"
	"os"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

var (
	connections = flag.Int("mutate.connections", 0, "connections per scheme; 0: 2,000, with -short 100")
	plain       = flag.Bool("mutate.plain", false, "test a binary without the race detector, and its RSS")
	from        = flag.Int("mutate.from", 0, "number of the first connection")
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		runChild(dir)
		return
	}
	flag.Parse()
	if *plain {
		os.Exit(testkit.Run(m, "../../../.."))
	}
	os.Exit(testkit.Run(m, "../../../..", "-race"))
}

// count returns the number of connections, or of mutants, of a test: of all divided by share.
func count(share int) int {
	n := *connections
	if n == 0 {
		n = testkit.Form(100, 2000)
	}
	return max(1, n/share)
}
