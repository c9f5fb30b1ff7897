package nsq

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"feedgate/cmd/feedgate/e2e/testkit"
)

const topic, channel = "faults", "archive"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		runChild(dir)
		return
	}
	status := testkit.Run(m, "../../../../..")
	if err := goleak.Find(); status == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}
