package feed

import (
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

func newLedger(t *testing.T, path string) *testkit.Ledger { return testkit.NewLedger(t, path, digits) }

// checkSession compares the file with the feed server's counts: the file has every message that
// was sent and no other, and each was acked once per connection. It returns how many are lost.
func checkSession(t *testing.T, l *testkit.Ledger, c feedserver.Counts) (lost uint64) {
	t.Helper()
	lost = l.CheckComplete(c.Sent)
	if c.Missing+c.Unsent+c.Refused+c.Duplicate+c.Unknown+c.Early+c.ProtocolErrors != 0 {
		t.Errorf("the feed has %d acks missing, %d messages unsent, %d refused, %d acked twice, %d unknown, %d acked early, %d protocol errors",
			c.Missing, c.Unsent, c.Refused, c.Duplicate, c.Unknown, c.Early, c.ProtocolErrors)
	}
	return lost
}
