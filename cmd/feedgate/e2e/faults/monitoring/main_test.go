package monitoring

import (
	"os"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// Files under test, from this directory.
const (
	root          = "../../../../.."
	rulesFile     = root + "/docs/alerts/feedgate.rules.yml"
	ruleTestsFile = root + "/docs/alerts/feedgate.test.yml"
	runbook       = "docs/operating.md" // from the root
	dashboardFile = root + "/docs/grafana/feedgate.json"
)

func TestMain(m *testing.M) { os.Exit(testkit.Run(m, root)) }
