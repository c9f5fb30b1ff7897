package main

import (
	"os"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Run(m, "../../../../..")) }

func TestDemo(t *testing.T) {
	var out strings.Builder
	if err := demo(&out, testkit.Executable(), 50_000); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, line := range []string{" kill -9;", "    messages           50000\n    missing                0\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
}
