package kafka

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"feedgate/cmd/feedgate/e2e/testkit"
)

func TestMain(m *testing.M) {
	running := goleak.IgnoreCurrent() // those of gnet
	status := testkit.Run(m, "../../../../..")
	if err := goleak.Find(running); status == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}
