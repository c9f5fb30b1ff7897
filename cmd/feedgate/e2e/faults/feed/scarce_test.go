package feed

import (
	"fmt"
	"path/filepath"
	"testing"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"

	"golang.org/x/sys/unix"
)

// limit sets a soft limit of the running gateway. restore resets it.
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

// TestNoDescriptors: a running gateway can open no more files, and then loses its connection, or
// its file.
func TestNoDescriptors(t *testing.T) {
	t.Parallel()
	t.Run("connection", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		o := startOutage(t, dir, testkit.Launch{Args: []string{"--state=" + filepath.Join(dir, "state")}})
		restore := o.limit(unix.RLIMIT_NOFILE, 3)
		o.via.Reset()
		o.checkBlocked("cannot connect", "too many open files")
		restore()
		o.over()
	})
	t.Run("sink", func(t *testing.T) {
		t.Parallel()
		o := startOutage(t, t.TempDir(), testkit.Launch{})
		kept := o.keep()
		restore := o.limit(unix.RLIMIT_NOFILE, 3)
		o.removeFile()
		o.checkBlocked("cannot append to the sink's file", "too many open files")
		restore()
		o.progress()
		o.readKept(kept)
		o.over()
	})
}

// fewest is how many descriptors the Go runtime needs: with fewer it exits before main, with
// its own message.
const fewest = 10

// TestFewDescriptors: a gateway started with too few descriptors logs it, and exits or retries.
// With enough it works. No number of descriptors has another effect.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	works := 0
	for n := fewest; n <= 24; n++ {
		s := serve(t, 100, feedserver.Config{})
		file := newLedger(t, filepath.Join(t.TempDir(), "out"))
		g := launch(t, testkit.Launch{
			Before: fmt.Sprintf("ulimit -n %d", n),
			Args:   []string{"fg://" + s.Address(), file.Flag(), "--exit-on-close", "--workers=2"},
		})
		var logged bool
		testkit.Eventually(t, "the end, or the reason in the log", func() bool {
			ended := !g.Running()
			logged = g.Log.Has("too many open files")
			return logged || ended
		})
		if logged {
			g.Kill()
			continue
		}
		works++
		g.Exit(0)
		checkSession(t, file, feedtest.OnlySession(t, s.End()))
	}
	t.Logf("of %d to 24 descriptors, %d counts are enough", fewest, works)
	if works == 0 {
		t.Error("24 descriptors are not enough")
	}
}

// TestNames: if a host has no address, the next one is tried. If it is the only host, its lookup is
// repeated with backoff.
func TestNames(t *testing.T) {
	t.Parallel()
	const nowhere = "no-such-host.invalid:7000"
	t.Run("second host", func(t *testing.T) {
		t.Parallel()
		s := serve(t, 1000, feedserver.Config{})
		file := newLedger(t, filepath.Join(t.TempDir(), "out"))
		g := start(t, "fg://"+nowhere+","+s.Address(), file.Flag(), "--exit-on-close", "--connect-timeout=2s")
		g.Exit(0)
		checkSession(t, file, feedtest.OnlySession(t, s.End()))
	})
	t.Run("no host", func(t *testing.T) {
		t.Parallel()
		g := start(t, "fg://"+nowhere, "--connect-timeout=2s", "--reconnect-max=200ms")
		g.WaitLog("cannot connect; will try again", "look up "+nowhere)
		checkBackoff(t, g)
		g.Stop()
	})
}
