package nsq

import (
	"fmt"
	"path/filepath"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// digits is how long a numbered message is, unless a test says otherwise.
const digits = 12

// numbered is message n, of size bytes: its number, with zeros in front.
func numbered(n uint64, size int) []byte { return fmt.Appendf(nil, "%0*d", size, n) }

func newLedger(t *testing.T) *testkit.Ledger {
	return testkit.NewLedger(t, filepath.Join(t.TempDir(), "out"), 0)
}
