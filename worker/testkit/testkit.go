// Package testkit has what the tests of many packages share: waiting for what nothing
// announces, and a log to look into. Only tests import it, and not those of cmd/feedgate/e2e,
// which import nothing of the module.
package testkit

import (
	"testing"
	"time"
)

// Patience ends a wait for something that will not happen. It is no measure of anything: a
// busy machine takes its time.
const Patience = 20 * time.Second

// Eventually waits until done reports true, for Patience at most. what names it.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	Within(t, Patience, what, done)
}

// Within is Eventually with a limit of its own.
func Within(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
