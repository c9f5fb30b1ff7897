package feed

import (
	"fmt"
	"testing"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/feedserver"
)

// digits is the length of a message: its number, padded with zeros.
const digits = 9

// serve starts a feed of up to lines numbered messages per session.
func serve(t *testing.T, lines int, cfg feedserver.Config) *feedtest.Source {
	t.Helper()
	return feedtest.Serve(t, "numbers", lines, func(dst []byte, n int) []byte { return fmt.Appendf(dst, "%0*d", digits, n) }, cfg)
}
