package dir

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFiles(t *testing.T) {
	dir := t.TempDir() + "/inbox"
	s := sinktest.Open(t, Kind, "dir:"+dir, sink.Config{})
	g := handlertest.Start(t, s, 2, 64) // two workers, at most 64 messages in flight
	for i, m := range []string{"a", "b", "a"} {
		g.Send(i%2, []byte(m))
	}
	g.Wait(3)
	g.Stop()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 || g.Refused != 0 {
		t.Errorf("%d files, %d refused, %v", len(files), g.Refused, err)
	}
}

// TestDiskIsAway: messages wait for the disk, and the sink is not ready.
func TestDiskIsAway(t *testing.T) {
	dir := t.TempDir() + "/inbox"
	s := sinktest.Open(t, Kind, "dir:"+dir, sink.Config{})
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("a"))
	testkit.Eventually(t, "not ready", func() bool { return s.Ready() != nil })
	g.WantResolved(0)
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	g.Wait(1)
	if err := s.Ready(); err != nil || g.Refused != 0 {
		t.Errorf("%d refused, ready: %v", g.Refused, err)
	}
	g.Stop()
}

// TestStoppedWhileTheDiskIsAway: a message that was not written is not acknowledged.
func TestStoppedWhileTheDiskIsAway(t *testing.T) {
	dir := t.TempDir() + "/inbox"
	s := sinktest.Open(t, Kind, "dir:"+dir, sink.Config{})
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("a"))
	testkit.Eventually(t, "not ready", func() bool { return s.Ready() != nil })
	g.Stop()
	g.WantResolved(0)
}
