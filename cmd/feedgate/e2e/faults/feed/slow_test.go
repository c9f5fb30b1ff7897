package feed

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

const (
	slowWindow = 2000
	slowRing   = 16
)

// TestSlowWorker: one of three workers is a thousand times slower than the others, and first
// does nothing at all.
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

// slowed is a gateway with one slow worker.
type slowed struct {
	t    *testing.T
	s    *feedtest.Source
	tap  *feedtest.Tap
	g    *gateway
	dir  string          // of the children
	file *testkit.Ledger // reads the journals of the children, one after another
}

func startSlowed(t *testing.T, messages int, args ...string) *slowed {
	t.Helper()
	s := &slowed{t: t, s: serve(t, messages, feedserver.Config{}), tap: feedtest.NewTap(t), dir: t.TempDir(), file: newLedger(t, "")}
	relay := testkit.StartRelay(t, s.s.Address(), testkit.RelayOptions{Observe: s.tap.Observe})
	self, err := os.Executable()
	if err == nil {
		err = os.Mkdir(filepath.Join(s.dir, journals), 0o755)
	}
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

// release lets the slow worker begin.
func (s *slowed) release() {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, goFile), nil, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// children are the paths of the children's journals.
func (s *slowed) children() []string {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.dir, journals, "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return paths
}

// end checks that every message was processed once, and returns how many the slow worker
// processed.
func (s *slowed) end() uint64 {
	s.t.Helper()
	s.g.Exit(0)
	slow := uint64(0)
	for _, path := range s.children() {
		s.file.Follow(path)
		before := s.file.Lines
		s.file.Read()
		if filepath.Base(path) == slowJournal {
			slow = s.file.Lines - before
		}
	}
	checkSession(s.t, s.file, feedtest.OnlySession(s.t, s.s.End()))
	if n := s.file.Duplicates(); n > 0 {
		s.t.Errorf("%d messages were processed twice", n)
	}
	return slow
}

// slowSpread: while the slow worker does nothing, the others work until the window is full.
// Later it processes few messages of all.
func slowSpread(t *testing.T, mode string) {
	messages := testkit.Form(10_000, 100_000)
	s := startSlowed(t, messages, "--ack="+mode)
	testkit.Eventually(t, "a full window", func() bool {
		span, up := s.g.metric("feedgate_in_flight")
		return up && span == slowWindow
	})
	if mode == "each" {
		// All but the messages of the slow worker: its ring, and as much again in its sink.
		testkit.Eventually(t, "the acks of the others", func() bool { return s.tap.Count() >= slowWindow-4*slowRing })
	}
	s.release()
	slow := s.end()
	t.Logf("%s: the window of %d was full; of %d messages the slow worker processed %d", mode, slowWindow, messages, slow)
	if slow == 0 || slow > uint64(messages)/5 {
		t.Errorf("the slow worker processed %d of %d messages", slow, messages)
	}
	if n := s.tap.Disorder(); mode == "ordered" && n > 0 {
		t.Errorf("%d acks were out of order", n)
	}
}

// slowKey: the key is the last digit. All messages of a key stay in order, with one worker.
func slowKey(t *testing.T) {
	messages := testkit.Form(1000, 5000)
	s := startSlowed(t, messages, "--dispatch=key", fmt.Sprintf("--key=bytes:%d:1", digits-1))
	s.release()
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
				t.Fatalf("message %s follows %s", n, last[key])
			}
			owner[key], last[key] = path, n
		}
	}
	if len(owner) != 10 {
		t.Errorf("%d keys, want 10", len(owner))
	}
}
