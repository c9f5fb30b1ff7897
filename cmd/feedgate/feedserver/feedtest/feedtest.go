// Package feedtest starts feeds for the tests of other packages.
package feedtest

import (
	"log/slog"
	"testing"

	"feedgate/cmd/feedgate/feedserver"
)

// Start starts a feed without a log, which is closed when the test ends.
func Start(t *testing.T, cfg feedserver.Config) *feedserver.Server {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	s, err := feedserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
