package feed

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

const (
	slowWindow = 2000
	slowRing   = 16
)

// TestSlowWorker: of three workers one is a thousand times slower than the others.
func TestSlowWorker(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"each", "ordered"} {
		t.Run("spread/"+mode, func(t *testing.T) {
			t.Parallel()
			slowSpread(t, mode)
		})
	}
	t.Run("key", func(t *testing.T) {
		t.Parallel()
		slowKey(t)
	})
}

// slowed is a gateway with one slow worker, and what came of its messages.
type slowed struct {
	t    *testing.T
	s    *source
	tap  *tap
	g    *gateway
	dir  string
	file *testkit.Ledger // what the children have noted, one after another
}

func startSlowed(t *testing.T, messages int, args ...string) *slowed {
	t.Helper()
	s := &slowed{t: t, s: serve(t, messages, feedserver.Config{}), tap: &tap{t: t}, dir: t.TempDir(), file: newLedger(t, "")}
	relay := testkit.StartRelay(t, s.s.address(), testkit.Wiring{Look: s.tap.look})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.g = launch(t, testkit.Launch{
		Admin: true, Env: []string{childVariable + "=" + s.dir},
		Args: append([]string{"fg://" + relay.Addr(), "--sink=exec:exec " + self, "--workers=3", "--exit-on-close",
			"--ring=" + strconv.Itoa(slowRing), "--in-flight=" + strconv.Itoa(slowWindow)}, args...),
	})
	return s
}

// children are the notes of each child.
func (s *slowed) children() []string {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.dir, "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return paths
}

// end checks that every message was done once, and returns how many the slow worker
// had.
func (s *slowed) end() uint64 {
	s.t.Helper()
	s.g.Exit(0)
	slow := uint64(0)
	for _, path := range s.children() {
		s.file.Rename(path)
		before := s.file.Lines
		s.file.Read()
		if filepath.Base(path) == "slow" {
			slow = s.file.Lines - before
		}
	}
	settle(s.t, s.file, one(s.t, s.s.end()))
	if n := s.file.Again(); n > 0 {
		s.t.Errorf("%d messages were processed twice", n)
	}
	return slow
}

// slowSpread: the others go on until the window is full, and what the slow worker
// has is little.
func slowSpread(t *testing.T, mode string) {
	messages := testkit.Form(10_000, 100_000)
	s := startSlowed(t, messages, "--ack="+mode)
	testkit.Eventually(t, "a full window", func() bool {
		span, up := s.g.metric("feedgate_in_flight")
		return up && span == slowWindow
	})
	if mode == "each" {
		// What the others have is done but for what the slow worker sits on: its
		// ring, and as much again that its sink has.
		testkit.Eventually(t, "the acks of the others", func() bool { return s.tap.count() >= slowWindow-4*slowRing })
	}
	slow := s.end()
	t.Logf("%s: the window of %d was filled; of %d messages the slow worker had %d", mode, slowWindow, messages, slow)
	if slow == 0 || slow > uint64(messages)/5 {
		t.Errorf("the slow worker had %d of %d messages", slow, messages)
	}
	if n := s.tap.disorder(); mode == "ordered" && n > 0 {
		t.Errorf("%d acks were out of order", n)
	}
}

// slowKey: messages of one key, here their last digit, stay in order and with one
// worker, and the keys of the other workers do not wait for the slow one until the
// window is full.
func slowKey(t *testing.T) {
	messages := testkit.Form(1000, 5000)
	s := startSlowed(t, messages, "--dispatch=key", fmt.Sprintf("--key=bytes:%d:1", digits-1))
	begun := time.Now()
	slow := s.end()
	t.Logf("key: %d messages, %d of them by the slow worker, in %.1f s", messages, slow, time.Since(begun).Seconds())
	owner := map[byte]string{}
	last := map[byte]string{}
	for _, path := range s.children() {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(b) > digits; b = b[digits+1:] {
			n, key := string(b[:digits]), b[digits-1]
			if o, taken := owner[key]; taken && o != path {
				t.Fatalf("messages of key %c went to two workers", key)
			}
			if n <= last[key] {
				t.Fatalf("%s came after %s", n, last[key])
			}
			owner[key], last[key] = path, n
		}
	}
	if len(owner) != 10 {
		t.Errorf("%d keys, want 10", len(owner))
	}
}
