package feed

import (
	"fmt"
	"path/filepath"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"

	"golang.org/x/sys/unix"
)

// limit sets a running gateway's soft limit, and returns what brings the old one
// back.
func (o *outage) limit(resource int, soft uint64) (restore func()) {
	o.t.Helper()
	var old unix.Rlimit
	pid := o.g.PID()
	if err := unix.Prlimit(pid, resource, nil, &old); err != nil {
		o.t.Fatal(err)
	}
	if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: soft, Max: old.Max}, nil); err != nil {
		o.t.Fatal(err)
	}
	return func() {
		o.t.Helper()
		if err := unix.Prlimit(pid, resource, &old, nil); err != nil {
			o.t.Fatal(err)
		}
	}
}

// TestNoDescriptors: a running gateway can open nothing any more, and then loses its
// connection and its file.
func TestNoDescriptors(t *testing.T) {
	t.Parallel()
	t.Run("connection", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		o := startOutage(t, dir, testkit.Launch{Args: []string{"--state=" + filepath.Join(dir, "state")}})
		restore := o.limit(unix.RLIMIT_NOFILE, 3)
		o.via.Reset()
		o.endure("cannot connect", "too many open files")
		restore()
		o.over()
	})
	t.Run("sink", func(t *testing.T) {
		t.Parallel()
		o := startOutage(t, t.TempDir(), testkit.Launch{})
		kept := o.keep()
		restore := o.limit(unix.RLIMIT_NOFILE, 3)
		o.removeFile()
		o.endure("cannot append to the sink's file", "too many open files")
		restore()
		o.progress()
		o.joined(kept)
		o.over()
	})
}

// fewest is how many descriptors the Go runtime needs to come up at all: with fewer
// it dies before main, and has its own words for that.
const fewest = 10

// TestFewDescriptors: started with too few, a gateway says so, and exits or goes on
// trying; with enough it works; between there is nothing.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	works := 0
	for n := fewest; n <= 24; n++ {
		s := serve(t, 100, feedserver.Config{})
		file := newLedger(t, filepath.Join(t.TempDir(), "out"))
		g := launch(t, testkit.Launch{
			Before: fmt.Sprintf("ulimit -n %d", n),
			Args:   []string{"fg://" + s.address(), file.Flag(), "--exit-on-close", "--workers=2"},
		})
		var clear bool
		testkit.Eventually(t, "the end, or a clear word", func() bool {
			ended := !g.Running()
			clear = g.Log.Has("too many open files")
			return clear || ended
		})
		if clear {
			g.Kill()
			continue
		}
		works++
		g.Exit(0)
		settle(t, file, one(t, s.end()))
	}
	t.Logf("of %d to 24 descriptors, %d counts are enough", fewest, works)
	if works == 0 {
		t.Error("24 descriptors are not enough")
	}
}

// TestNames: a host that has no address is passed over for the next one; where there
// is no next one, it is looked up again with backoff.
func TestNames(t *testing.T) {
	t.Parallel()
	const nowhere = "no-such-host.invalid:7000"
	t.Run("second host", func(t *testing.T) {
		t.Parallel()
		s := serve(t, 1000, feedserver.Config{})
		file := newLedger(t, filepath.Join(t.TempDir(), "out"))
		g := start(t, "fg://"+nowhere+","+s.address(), file.Flag(), "--exit-on-close", "--connect-timeout=2s")
		g.Exit(0)
		settle(t, file, one(t, s.end()))
	})
	t.Run("no host", func(t *testing.T) {
		t.Parallel()
		g := start(t, "fg://"+nowhere, "--connect-timeout=2s", "--reconnect-max=200ms")
		g.WaitLog("cannot connect; will try again", "look up "+nowhere)
		endure(t, g)
		g.Stop()
	})
}
