package stdout

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/frame"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

// dribble accepts a few bytes of each write, and sometimes none.
type dribble struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	calls int
}

func (d *dribble) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	n := min(len(p), 1+d.calls%7)
	d.buf.Write(p[:n])
	return n, nil
}

func TestStdoutWritesWholeLinesInOrder(t *testing.T) {
	out := new(dribble)
	s := sinktest.Open(t, Kind, "stdout:", sink.Config{Stdout: out})
	const workers, each = 3, 500
	g := handlertest.Start(t, s, workers, 4096)
	for i := range each {
		for w := range workers {
			g.Send(w, fmt.Appendf(nil, "%d %d %s", w, i, strings.Repeat("x", i%40)))
		}
	}
	g.Wait(workers * each)
	g.Stop()
	next := make([]int, workers)
	for line := range strings.Lines(out.buf.String()) {
		var w, i int
		if _, err := fmt.Sscanf(line, "%d %d", &w, &i); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if want := fmt.Sprintf("%d %d %s\n", w, next[w], strings.Repeat("x", next[w]%40)); line != want {
			t.Fatalf("line %q, want %q", line, want)
		}
		next[w]++
	}
	for w, n := range next {
		if n != each {
			t.Errorf("%d lines of worker %d", n, w)
		}
	}
}

func TestStdoutCutsLargeBatches(t *testing.T) {
	var out bytes.Buffer // written by one goroutine; read when that has ended
	s := sinktest.Open(t, Kind, "stdout:", sink.Config{Stdout: &out})
	g := handlertest.Start(t, s, 1, 64)
	want := 0
	for i, size := range []int{3 * stdoutChunk, 0, 10, stdoutChunk, stdoutChunk - 1, 1} {
		g.Send(0, bytes.Repeat([]byte{byte('a' + i)}, size))
		want += size + 1
	}
	g.Wait(6)
	g.Stop()
	if out.Len() != want || g.Refused != 0 {
		t.Errorf("%d bytes written, want %d; %d refused", out.Len(), want, g.Refused)
	}
}

// A full pipe that another process has made non-blocking returns EAGAIN.
func TestStdoutWaitsForANonBlockingPipe(t *testing.T) {
	sinktest.VerifyNoLeaks(t)
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	in, out := os.NewFile(uintptr(fds[0]), "in"), os.NewFile(uintptr(fds[1]), "out")
	defer in.Close()
	defer out.Close()
	if err := unix.SetNonblock(fds[1], true); err != nil {
		t.Fatal(err)
	}
	s, err := newStdout(frame.Line, sinktest.Prepare(t, sink.Config{Stdout: out}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g := handlertest.Start(t, s, 1, 64)
	const size = 300 << 10 // more than the pipe holds
	for range 4 {
		g.Send(0, bytes.Repeat([]byte("y"), size))
	}
	got := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, io.LimitReader(in, 4*(size+1)))
		got <- n
	}()
	g.Wait(4)
	if n := <-got; n != 4*(size+1) || g.Refused != 0 {
		t.Errorf("%d bytes came through, %d messages refused", n, g.Refused)
	}
	g.Stop()
}

type failing struct{ err error }

func (f failing) Write(p []byte) (int, error) { return len(p) / 2, f.err }

func TestStdoutErrorIsFinal(t *testing.T) {
	fault := errors.New("the tape is torn")
	s := sinktest.Open(t, Kind, "stdout:", sink.Config{Stdout: failing{fault}})
	g := handlertest.Start(t, s, 2, 64)
	if s.Ready() != nil || s.Err() != nil {
		t.Error("not ready at the start")
	}
	g.Send(0, []byte("one"))
	g.Send(1, []byte("two"))
	select {
	case <-s.Failed():
	case <-time.After(testkit.Patience):
		t.Fatal("not failed")
	}
	if !errors.Is(s.Err(), fault) || !errors.Is(s.Ready(), fault) {
		t.Errorf("Err %v, Ready %v", s.Err(), s.Ready())
	}
	g.Send(0, []byte("three"))
	g.Stop()
	g.WantResolved(0) // neither done nor refused
}

// A write that nobody reads must not block the end of the workers.
func TestStdoutBlockedWriteIsLeftBehind(t *testing.T) {
	sinktest.VerifyNoLeaks(t)
	in, out := io.Pipe()
	s, err := newStdout(frame.Line, sinktest.Prepare(t, sink.Config{Stdout: out, CloseTimeout: time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	g := handlertest.Start(t, s, 2, 64)
	g.Send(0, []byte("one"))
	g.Send(1, []byte("two"))
	if _, err := in.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	g.Stop() // one worker is in the rest of its write, the other waits for its turn
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "nobody reads") {
		t.Errorf("close: %v", err)
	}
	in.Close()
	<-s.done
	g.WantResolved(0)
}

// A broken pipe on descriptor 1 would kill the process by SIGPIPE. The test runs again in a process
// whose standard output nobody reads.
func TestStdoutBrokenPipeDoesNotKill(t *testing.T) {
	if sinktest.Alone() {
		s, err := newStdout(frame.Line, sinktest.Prepare(t, sink.Config{}))
		if err != nil {
			panic(err)
		}
		g := handlertest.Start(t, s, 1, 64)
		g.Send(0, []byte("hello"))
		<-s.Failed()
		if !errors.Is(s.Err(), syscall.EPIPE) {
			fmt.Fprintln(os.Stderr, "wrong error:", s.Err())
			os.Exit(4)
		}
		g.Stop()
		if err := s.Close(); err != nil || g.Resolved != 0 {
			os.Exit(5)
		}
		os.Exit(3) // without the test framework's last words to standard output
	}
	cmd, output := sinktest.InOwnProcess(t)
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = out
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	// Without -test.v, which writes to standard output first.
	cmd.Args = append(cmd.Args, "-test.v=false")
	err = cmd.Run()
	out.Close()
	if cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("%v\n%s", err, output)
	}
}

// An unusable standard output is detected before the first message.
func TestStdoutThatCannotBeUsed(t *testing.T) {
	sinktest.VerifyNoLeaks(t)
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, want string
		flag       int
	}{
		{path, "open for reading only", os.O_RDONLY},
		{os.DevNull, "is closed", os.O_RDWR},
		{os.DevNull, "", os.O_WRONLY},
		{path, "", os.O_RDWR},
	} {
		f, err := os.OpenFile(c.path, c.flag, 0)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newStdout(frame.Line, sinktest.Prepare(t, sink.Config{Stdout: f}))
		if c.want == "" && err != nil || c.want != "" && (err == nil || errors.Is(err, sink.ErrURL) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s, flags %#x: %v; want %q", c.path, c.flag, err, c.want)
		}
		if err == nil {
			s.Close()
		}
		f.Close()
	}
}

var _ worker.Sink = (*stdout)(nil)
