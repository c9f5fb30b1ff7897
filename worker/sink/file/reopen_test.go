package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/frame"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

func TestReopenLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	s := sinktest.Open(t, Kind, "file:"+path, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("one"))
	g.Wait(1)
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	if open := strings.Join(sinktest.OpenFiles(t), " ") + " "; strings.Contains(open, path+".1 ") || !strings.Contains(open, path+" ") {
		t.Errorf("open are %s", open)
	}
	if got := content(t, path); got != "" {
		t.Errorf("the new file holds %q", got)
	}
	g.Send(0, []byte("two"))
	g.Wait(2)
	g.Stop()
	if a, b := content(t, path+".1"), content(t, path); a != "one\n" || b != "two\n" {
		t.Errorf("got %q and %q", a, b)
	}
}

// TestReopenFails: if the path cannot be opened, Reopen returns why, and nothing is lost.
func TestReopenFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	s := sinktest.Open(t, Kind, "file:"+path, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("one"))
	g.Wait(1)
	if err := errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(); err == nil || !strings.Contains(err.Error(), "is a directory") || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if open := strings.Join(sinktest.OpenFiles(t), " ") + " "; !strings.Contains(open, path+".1 ") {
		t.Errorf("the old file is not in use any more: %s", open)
	}
	g.Send(0, []byte("two"))
	g.WaitFor("the fault", func() bool { return s.Ready() != nil })
	g.WantResolved(1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	g.Wait(2)
	g.Stop()
	if a, b := content(t, path+".1"), content(t, path); a != "one\n" || b != "two\n" {
		t.Errorf("got %q and %q", a, b)
	}
}

// TestHungDisk: a disk that does not respond blocks neither Reopen nor Close. Messages that may not
// be on it are reported, and not done.
func TestHungDisk(t *testing.T) {
	for _, op := range []string{"write", "sync", "names"} {
		t.Run(op, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			sinktest.VerifyNoLeaks(t)
			d := new(faultDisk)
			cfg := sinktest.Prepare(t, sink.Config{CloseTimeout: 20e6})
			s, err := newFile(path, frame.Line, cfg, defaultBuffer, d)
			if err != nil {
				t.Fatal(err)
			}
			g := handlertest.Start(t, s, 1, 64)
			hung, answer := make(chan struct{}, 100), make(chan struct{})
			d.set(func(o string) error {
				if o == op {
					hung <- struct{}{}
					<-answer
				}
				return nil
			})
			for range 3 {
				g.Send(0, []byte("one"))
			}
			<-hung
			for range 3 {
				if err := s.Reopen(); err == nil || !strings.Contains(err.Error(), "in progress") {
					t.Errorf("reopen: %v", err)
				}
			}
			g.WantResolved(0)
			g.Stop()
			if err := s.Close(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "does not answer") || strings.Contains(err.Error(), ": 0 messages") {
				t.Errorf("close: %v", err)
			}
			close(answer)
			<-s.done
			if err := s.Reopen(); err == nil || !strings.Contains(err.Error(), "closed") {
				t.Errorf("reopen after close: %v", err)
			}
			g.WantResolved(0)
		})
	}
}

// TestReopenAfterAHungDisk: the file is opened again once the disk responds.
func TestReopenAfterAHungDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	d := new(faultDisk)
	s := fileSinkAt(t, path, sink.Config{CloseTimeout: 100e6}, defaultBuffer, d)
	g := handlertest.Start(t, s, 1, 64)
	hung, answer := make(chan struct{}, 100), make(chan struct{})
	d.set(func(op string) error {
		if op == "sync" {
			hung <- struct{}{}
			<-answer
		}
		return nil
	})
	g.Send(0, []byte("one"))
	<-hung
	if err := s.Reopen(); err == nil {
		t.Error("a hung disk was reopened")
	}
	d.set(nil)
	close(answer)
	g.Wait(1)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(); err != nil {
		t.Error(err)
	}
	testkit.Eventually(t, "a new file", func() bool { _, err := os.Stat(path); return err == nil })
	g.Stop()
}
