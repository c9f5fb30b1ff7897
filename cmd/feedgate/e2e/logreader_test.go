package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// pipe is a pipe in blocking mode, as a shell makes it. The test closes it.
func pipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	read, write = os.NewFile(uintptr(fds[0]), "read"), os.NewFile(uintptr(fds[1]), "write")
	t.Cleanup(func() { read.Close(); write.Close() })
	return read, write
}

// fill leaves no room in a pipe, not for a byte.
func fill(t *testing.T, write *os.File) {
	t.Helper()
	fd := int(write.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{4096, 1} {
		for full := false; !full; {
			_, err := syscall.Write(fd, make([]byte, size))
			if err != nil && err != syscall.EAGAIN {
				t.Fatal(err)
			}
			full = err != nil
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// gaps are messages each of which leaves a line in the log.
func gaps(count int) []frame {
	var all []frame
	for i := range count {
		all = append(all, data(uint64(10*i+1), "x"))
	}
	return all
}

// TestLogReaderGoesAway: the log goes on without one, and so does everything else.
func TestLogReaderGoesAway(t *testing.T) {
	t.Parallel()
	read, write := pipe(t)
	s := listenFG(t)
	p := runWith(t, launch{args: []string{s.url(), "--sink=discard:"}, stderr: write})
	write.Close()
	c := s.accept()
	c.welcome(1, "{}")
	if _, err := read.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	read.Close()
	for _, f := range gaps(100) {
		c.send(f)
		c.acks(1)
	}
	p.stop(c)
}

// TestLogIsNotRead: a pipe that takes no byte holds up neither messages nor the end.
func TestLogIsNotRead(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		_, write := pipe(t)
		fill(t, write)
		s := listenFG(t)
		p := runWith(t, launch{args: []string{s.url(), "--sink=discard:", "--log-format=" + format}, stderr: write})
		c := s.accept()
		c.welcome(1, "{}")
		c.send(gaps(3000)...)
		c.acks(3000)
		p.stop(c)
	}
}

// TestLogIsReadLate: once there is a reader again, it gets whole lines.
func TestLogIsReadLate(t *testing.T) {
	t.Parallel()
	read, write := pipe(t)
	fill(t, write)
	s := listenFG(t)
	p := runWith(t, launch{args: []string{s.url(), "--sink=discard:"}, stderr: write})
	write.Close()
	c := s.accept()
	c.welcome(1, "{}")
	c.send(gaps(3000)...)
	c.acks(3000)
	text := make(chan string, 1)
	go func() {
		var late output
		_, _ = read.WriteTo(&late)
		text <- late.String()
	}()
	p.stop(c)
	lines := strings.Split(strings.TrimLeft(<-text, "\x00"), "\n")
	for _, line := range lines[:len(lines)-1] {
		if !strings.HasPrefix(line, "time=") || strings.Count(line, "time=") != 1 {
			t.Fatalf("not a whole line: %q", line)
		}
	}
	if last := lines[len(lines)-1]; last != "" {
		t.Errorf("the log ends within a line: %q", last)
	}
	if !strings.Contains(strings.Join(lines, "\n"), "admin address") {
		t.Error("the first lines are missing")
	}
}

// TestErrorsAreNotRead: nor do the lines about a fault hold up the end.
func TestErrorsAreNotRead(t *testing.T) {
	t.Parallel()
	_, write := pipe(t)
	fill(t, write)
	for status, args := range map[int][]string{
		2: {"run", "fg://127.0.0.1:1", "--sink=discard:", "--admin=", "--ring=3"},
		1: {"run", "fg://127.0.0.1:1", "--sink=file:/nonexistent/file", "--admin="},
	} {
		p := start(t, launch{args: args, stderr: write})
		p.exit(status)
	}
}

// TestLogIsClosed: 2>&- is no reason to fail, and nothing of ours takes its descriptor.
func TestLogIsClosed(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	file := newFileSink(t)
	cmd := exec.Command("/bin/sh", "-c", `exec "$0" "$@" 2>&-`, underTest(t),
		"run", s.url(), file.flag(), "--admin=", "--exit-on-close", "--log-level=debug")
	cmd.Env = testkit.Environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	c := s.accept()
	c.welcome(1, "{}")
	c.send(data(1, "one"), data(5, "two"))
	c.acks(2)
	c.finish(0, 0)
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("still running")
		_ = cmd.Process.Kill()
	}
	file.holds(t, "one", "two")
}

// TestChildrenHaveSIGPIPE: what feedgate does about its own broken pipes is not passed on.
// A shell's pipeline relies on the signal.
func TestChildrenHaveSIGPIPE(t *testing.T) {
	t.Parallel()
	seen := filepath.Join(t.TempDir(), "seen")
	kids := newChildren(t)
	sink := strings.Replace(kids.sink(t), "exec:", "exec:(yes; echo $? >'"+seen+"') 2>/dev/null | head -n 1 >/dev/null; ", 1)
	p, _, c := connectFG(t, "{}", "--workers=1", sink)
	c.send(data(1, "one"))
	c.acks(1)
	eventually(t, "the end of the child's pipeline", func() bool { return exists(seen) })
	p.stop(c)
	if text, err := os.ReadFile(seen); err != nil || string(text) != "141\n" {
		t.Errorf("the first command of a child's pipeline ended with %q, want 141; %v", text, err)
	}
}
