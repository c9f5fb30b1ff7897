package nsq

import (
	"fmt"
	"path/filepath"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// digits is the length of a numbered message in most tests.
const digits = 12

// numbered returns message n, of size bytes: its number, padded with zeros.
func numbered(n uint64, size int) []byte { return fmt.Appendf(nil, "%0*d", size, n) }

func newLedger(t *testing.T) *testkit.Ledger {
	return testkit.NewLedger(t, filepath.Join(t.TempDir(), "out"), 0)
}
