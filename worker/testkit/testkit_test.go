package testkit

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// failing is a test that must fail.
type failing struct {
	testing.TB
	text string
}

func (*failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.text = format
	panic(f)
}

func TestWithin(t *testing.T) {
	calls := 0
	Eventually(t, "the third call", func() bool { calls++; return calls == 3 })
	if calls != 3 {
		t.Errorf("%d calls, want 3", calls)
	}
	f := &failing{TB: t}
	func() {
		defer func() { recover() }()
		Within(f, time.Millisecond, "nothing", func() bool { return false })
	}()
	if f.text == "" {
		t.Error("a wait without an end does not fail the test")
	}
}

func TestLog(t *testing.T) {
	var l Log
	var writing sync.WaitGroup
	for range 4 {
		writing.Go(func() { l.Logger().Info("a line", "of", "it") })
	}
	writing.Wait()
	if l.Count("of=it") != 4 || !l.Has("a line") || l.Has("another") || strings.Count(l.String(), "\n") != 4 {
		t.Errorf("the log is %s", &l)
	}
}
