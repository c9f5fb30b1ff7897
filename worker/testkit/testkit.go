// Package testkit has what the tests of many packages share: waits for a condition, loggers, and a
// log that can be searched. Only tests import it, except those of cmd/feedgate/e2e, which import
// nothing of the module.
package testkit

import (
	"testing"
	"time"
)

// Patience is how long tests wait for something before they fail. It is long because the machine
// may be busy.
const Patience = 20 * time.Second

// Eventually waits until done returns true. It fails the test after [Patience], naming what it
// waited for.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	Within(t, Patience, what, done)
}

// Within is Eventually with another limit.
func Within(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
