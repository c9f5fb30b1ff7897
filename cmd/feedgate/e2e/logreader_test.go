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

// pipe makes a pipe in blocking mode, like a shell does. It is closed when the test ends.
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

// gaps returns messages that cause one log line each.
func gaps(count int) []frame {
	var all []frame
	for i := range count {
		all = append(all, data(uint64(10*i+1), "x"))
	}
	return all
}

// TestLogReaderMayClose: the gateway continues without it.
func TestLogReaderMayClose(t *testing.T) {
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

// TestUnreadLogBlocksNothing: a full pipe delays neither messages nor the end of the process.
func TestUnreadLogBlocksNothing(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		_, write := pipe(t)
		fillPipe(t, write)
		s := listenFG(t)
		p := runWith(t, launch{args: []string{s.url(), "--sink=discard:", "--log-format=" + format}, stderr: write})
		c := s.accept()
		c.welcome(1, "{}")
		c.send(gaps(3000)...)
		c.acks(3000)
		p.stop(c)
	}
}

// TestLateLogReaderGetsWholeLines: the pipe was full before.
func TestLateLogReaderGetsWholeLines(t *testing.T) {
	t.Parallel()
	read, write := pipe(t)
	fillPipe(t, write)
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

// TestUnreadErrorsBlockNothing: a full pipe does not delay the end of a process that reports an error.
func TestUnreadErrorsBlockNothing(t *testing.T) {
	t.Parallel()
	_, write := pipe(t)
	fillPipe(t, write)
	for status, args := range map[int][]string{
		2: {"run", "fg://127.0.0.1:1", "--sink=discard:", "--admin=", "--ring=3"},
		1: {"run", "fg://127.0.0.1:1", "--sink=file:/nonexistent/file", "--admin="},
	} {
		p := start(t, launch{args: args, stderr: write})
		p.exit(status)
	}
}

// TestStderrMayBeClosed: with 2>&- the gateway works, and no other file gets descriptor 2.
func TestStderrMayBeClosed(t *testing.T) {
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

// TestChildrenGetSIGPIPE: they do not inherit that feedgate ignores it. Pipelines of a shell rely on it.
func TestChildrenGetSIGPIPE(t *testing.T) {
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
