package http

import (
	"os"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Run(m, "../../../../..")) }
