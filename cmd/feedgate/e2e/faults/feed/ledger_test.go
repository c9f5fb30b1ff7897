package feed

import (
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

func newLedger(t *testing.T, path string) *testkit.Ledger { return testkit.NewLedger(t, path, digits) }

// settle holds the file against what the feed knows of the session: every message
// that was sent is there and acked, no other is, and acks came once a connection. It
// returns how many are lost.
func settle(t *testing.T, l *testkit.Ledger, c feedserver.Counts) (lost uint64) {
	t.Helper()
	lost = l.CheckComplete(c.Sent)
	if c.Missing+c.Unsent+c.Refused+c.Duplicate+c.Unknown+c.Early+c.ProtocolErrors != 0 {
		t.Errorf("the feed has %d acks missing, %d messages unsent, %d refused, %d acks doubled, %d unknown, %d early, %d protocol errors",
			c.Missing, c.Unsent, c.Refused, c.Duplicate, c.Unknown, c.Early, c.ProtocolErrors)
	}
	return lost
}
