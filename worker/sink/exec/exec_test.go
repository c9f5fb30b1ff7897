package exec

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

// shortGrace is for children that will not end by themselves.
const shortGrace = 20 * time.Millisecond

func TestExecAnswersPass(t *testing.T) {
	for _, mode := range []string{"plain", "bytewise"} {
		command, ledger := childCommand(t, mode)
		s := openExec(t, command, defaultGrace, sink.Config{})
		g := handlertest.Start(t, s, 1, 4096)
		var want []string
		codes := []int{0, 1, 0, 1000, 8191, 2, 0}
		for i := range 300 {
			code := codes[i%7]
			message := fmt.Sprintf("code %d of %d", code, i)
			if number := g.Send(0, []byte(message)); number != i {
				t.Fatal(number)
			}
			want = append(want, message)
		}
		g.Wait(300)
		for i := range 300 {
			if code := g.Code(i); int(code) != codes[i%7] {
				t.Errorf("message %d: code %d", i, code)
			}
		}
		if err := s.Ready(); err != nil {
			t.Error(err)
		}
		g.Stop()
		if got := whats(readLedger(t, ledger)); !slices.Equal(got, append(append([]string{"start"}, want...), "eof")) {
			t.Errorf("%s: the child saw %q", mode, got)
		}
	}
}

func TestExecLargeMessages(t *testing.T) {
	command, _ := childCommand(t, "plain")
	s := openExec(t, command, defaultGrace, sink.Config{})
	a, b := handlertest.Start(t, s, 2, 64), handlertest.Start(t, s, 1, 64)
	for i, n := range []int{3 << 20, 0, 1, writeChunk, writeChunk + 1, 1 << 20, 0, 0, 5} {
		a.Send(i%2, bytes.Repeat([]byte("m"), n))
		b.Send(0, bytes.Repeat([]byte("n"), n/2))
	}
	a.Wait(9)
	b.Wait(9)
	if a.Refused+b.Refused != 0 {
		t.Error("refused")
	}
	a.Stop()
	b.Stop()
}

// TestExecShellAnswersAtTheDrain: the child is a shell command that answers only at the end of its
// input.
func TestExecShellAnswersAtTheDrain(t *testing.T) {
	got := filepath.Join(t.TempDir(), "got")
	var errs bytes.Buffer
	errIn, errOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	log := new(testkit.Log)
	command := fmt.Sprintf(`cat >'%s'; echo complaint >&2; printf '\000\000\003\350'`, got)
	s := openExec(t, command, defaultGrace, sink.Config{Stderr: errOut, Log: log.Tee(t)})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("one"))
	g.Send(0, []byte("three"))
	testkit.Eventually(t, "both messages", func() bool {
		data, _ := os.ReadFile(got)
		return string(data) == "\x00\x00\x00\x03one\x00\x00\x00\x05three"
	})
	g.WantResolved(0)
	g.Drain()
	g.Wait(2)
	if g.Code(0) != 0 || g.Code(1) != 1000 {
		t.Errorf("codes %d, %d", g.Code(0), g.Code(1))
	}
	g.Stop()
	errOut.Close()
	if _, err := io.Copy(&errs, errIn); err != nil || errs.String() != "complaint\n" {
		t.Errorf("standard error: %q, %v", errs.String(), err)
	}
	errIn.Close()
	if log.Count("failed") != 0 {
		t.Error("a normal end was logged")
	}
}

func TestExecDrain(t *testing.T) {
	command, ledger := childCommand(t, "at-end")
	s := openExec(t, command, defaultGrace, sink.Config{})
	g := handlertest.Start(t, s, 1, 8192)
	const n = 900 // more than any pipe holds, less than may be with a worker
	for i := range n {
		g.Send(0, fmt.Appendf(nil, "message %d %s", i, strings.Repeat("x", 100)))
	}
	g.WantResolved(0)
	g.Drain()
	g.Wait(n)
	if g.Refused != 0 {
		t.Errorf("%d refused", g.Refused)
	}
	// A late retry gets another child.
	g.Send(0, []byte("late"))
	g.Wait(n + 1)
	g.Send(0, []byte("code 1005"))
	g.Wait(n + 2)
	if g.Code(n) != 0 || g.Code(n+1) != 1005 {
		t.Errorf("codes %d, %d", g.Code(n), g.Code(n+1))
	}
	g.Stop()
	entries := readLedger(t, ledger)
	if len(entries) < n+6 || countEntries(entries, "start") != countEntries(entries, "eof") {
		t.Errorf("%d entries, %d starts, %d ends", len(entries), countEntries(entries, "start"), countEntries(entries, "eof"))
	}
}

// TestExecDrainWithALingeringChild: a child that stays after the end of its input does not block a
// late retry.
func TestExecDrainWithALingeringChild(t *testing.T) {
	command, ledger := childCommand(t, "linger")
	s := openExec(t, command, shortGrace, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("early"))
	g.Wait(1)
	g.Drain()
	testkit.Eventually(t, "end of input", func() bool { return countEntries(readLedger(t, ledger), "eof") == 1 })
	g.Send(0, []byte("late"))
	g.Wait(2)
	g.Stop()
	if g.Refused != 0 {
		t.Error("refused")
	}
}

func TestExecRestartsInOrder(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	once := filepath.Join(t.TempDir(), "once")
	log := new(testkit.Log)
	s := openExec(t, command, defaultGrace, sink.Config{Log: log.Tee(t)})
	g := handlertest.Start(t, s, 1, 64)
	messages := []string{"a", "die-once " + once, "b", "c"}
	for _, m := range messages {
		g.Send(0, []byte(m))
	}
	g.Wait(4)
	g.Send(0, []byte("d"))
	g.Wait(5)
	g.Stop()
	messages[1] = messages[1][:min(60, len(messages[1]))]
	want := []string{"start", "a", messages[1], "start", messages[1], "b", "c", "d", "eof"}
	if got := whats(readLedger(t, ledger)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if g.Refused != 0 || log.Count("exit status 7") != 1 {
		t.Errorf("%d refused, or not logged once", g.Refused)
	}
}

func TestExecRefusesAtTheThirdCrash(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	s := openExec(t, command, defaultGrace, sink.Config{})
	g := handlertest.Start(t, s, 1, 64)
	for _, m := range []string{"a", "die", "b", "die", "c"} {
		g.Send(0, []byte(m))
	}
	g.Wait(5)
	var codes []worker.Code
	for i := range 5 {
		codes = append(codes, g.Code(i))
	}
	if !slices.Equal(codes, []worker.Code{0, worker.Refused, 0, worker.Refused, 0}) {
		t.Errorf("codes %d", codes)
	}
	g.Stop()
	if n := countEntries(readLedger(t, ledger), "die"); n != 6 {
		t.Errorf("%d crashes, want 3 for each", n)
	}
}

// TestExecHopelessCommands: if a command cannot work, Ready returns why, and no message is refused.
func TestExecHopelessCommands(t *testing.T) {
	for _, c := range []struct{ name, command, want string }{
		{"exits", "exit 3", "exit status 3"},
		{"exits well", "exit 0", "exit status 0"},
		{"is missing", "/nonexistent/handler 2>/dev/null", "exit status 127"},
		{"reads and exits", "head -c 300000 >/dev/null; exit 5", "exit status 5"},
		{"closes its input", "exec 0<&-; exec sleep 60", "it closed its standard input or output and went on: signal: terminated"},
		{"closes its output", "exec 1>&-; exec sleep 60", "it closed its standard input or output and went on: signal: terminated"},
		{"obeys TERM", "trap 'exit 0' TERM; exec 1>&-; while :; do sleep 0.01; done", "it closed its standard input or output and went on: exit status 0"},
		{"ignores TERM", "trap '' TERM; exec 1>&-; while :; do sleep 1; done", "it closed its standard input or output and went on: signal: killed"},
		{"prints text", "head -c 4 >/dev/null; echo got; exec sleep 60", "it answered 26479, which is none of"},
		{"echoes", "exec cat", "it answered "},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openExec(t, c.command, shortGrace, sink.Config{})
			g := handlertest.Start(t, s, 1, 64)
			// More than the pipe's capacity, so that a child that does not read is
			// detected.
			g.Send(0, bytes.Repeat([]byte("m"), 200<<10))
			g.Send(0, bytes.Repeat([]byte("m"), 200<<10))
			h := s.open[0]
			var failed []*child // distinct children that were there
			g.WaitFor("several failures", func() bool {
				h.mu.Lock()
				defer h.mu.Unlock()
				if h.child != nil && !slices.Contains(failed, h.child) {
					failed = append(failed, h.child)
				}
				return len(failed) > crashLimit+1
			})
			g.WaitFor("the reason", func() bool {
				err := s.Ready()
				return err != nil && strings.Contains(err.Error(), "1 of 1 children are down: child 1: "+c.want)
			})
			g.WantResolved(0)
			g.Stop()
		})
	}
}

func TestExecAnswerWithoutAMessage(t *testing.T) {
	command, ledger := childCommand(t, "plain")
	log := new(testkit.Log)
	s := openExec(t, command, defaultGrace, sink.Config{Log: log.Tee(t)})
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("twice"))
	g.Wait(1)
	g.WaitFor("the log", func() bool { return log.Count(errUnasked.Error()) == 1 })
	g.Send(0, []byte("after"))
	g.Wait(2)
	g.Stop()
	if g.Refused != 0 || countEntries(readLedger(t, ledger), "start") != 2 {
		t.Errorf("%d refused; %q", g.Refused, whats(readLedger(t, ledger)))
	}
}

// TestExecCloseKillsADeafChild: a child that neither reads nor obeys TERM is killed, although the
// write to it is blocked. Its messages are neither done nor refused.
func TestExecCloseKillsADeafChild(t *testing.T) {
	command, ledger := childCommand(t, "neverreads")
	s := openExec(t, command, shortGrace, sink.Config{})
	g := handlertest.Start(t, s, 2, 64)
	for i := range 20 {
		g.Send(i%2, make([]byte, 50<<10))
	}
	testkit.Eventually(t, "two children that never read", func() bool { return countEntries(readLedger(t, ledger), "neverreads") == 2 })
	g.Stop()
	g.WantResolved(0)
	for _, e := range readLedger(t, ledger) {
		if !gone(e.pid) {
			t.Errorf("child %d still runs", e.pid)
		}
	}
}

// gone reports whether a process has ended. It may be a zombie: init reaps orphans.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

// TestExecChildLeavesProcessesBehind: processes that a child has started end with it. Those that
// have left its group keep its output open; the next child starts all the same.
func TestExecChildLeavesProcessesBehind(t *testing.T) {
	for _, c := range []struct {
		start string
		ends  bool
	}{{"sh", true}, {"setsid sh", false}} {
		t.Run(c.start, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pid")
			// The shell ends once its child has written its process ID.
			command := c.start + ` -c 'echo $$ >"$0"; exec sleep 30' "` + pids + `.$$" & ` +
				`until [ -s "` + pids + `.$$" ]; do sleep 0.01; done; exit 4`
			s := openExec(t, command, shortGrace, sink.Config{})
			g := handlertest.Start(t, s, 1, 64)
			var first int
			testkit.Eventually(t, "three generations", func() bool {
				files, _ := filepath.Glob(pids + ".*")
				if len(files) > 0 && first == 0 {
					data, _ := os.ReadFile(files[0])
					_, _ = fmt.Sscan(string(data), &first)
				}
				return len(files) >= 3
			})
			if gone(first) != c.ends {
				t.Errorf("process %d has ended: %v", first, !c.ends)
			}
			g.Stop()
			files, _ := filepath.Glob(pids + ".*")
			for _, file := range files {
				data, _ := os.ReadFile(file)
				var pid int
				if _, err := fmt.Sscan(string(data), &pid); err == nil && !c.ends {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		})
	}
}

// TestExecSurvivesKills: children are killed at random moments. Every message is answered once, and
// no child gets a message before all earlier ones were read.
func TestExecSurvivesKills(t *testing.T) {
	const workers, kills = 2, 16
	command, ledger := childCommand(t, "plain")
	s := openExec(t, command, defaultGrace, sink.Config{})
	g := handlertest.Start(t, s, workers, 1<<14)
	rnd := rand.New(rand.NewPCG(1, 2))
	sent, answeredAtKill := [workers]int{}, [workers]int{}
	// progress is how many messages must have been answered since the worker's child was last
	// killed, because a message is refused at the third crash.
	kill := func(w, progress int) bool {
		h := s.open[w]
		h.mu.Lock()
		defer h.mu.Unlock()
		if int(h.queue.first) < answeredAtKill[w]+progress || h.child == nil {
			return false
		}
		h.child.kill()
		answeredAtKill[w] = int(h.queue.first)
		return true
	}
	for range kills {
		w := rnd.IntN(workers)
		for range 100 + rnd.IntN(200) {
			for to := range workers {
				g.Send(to, fmt.Appendf(nil, "%d %d", to, sent[to]))
				sent[to]++
			}
		}
		progress := 1 + rnd.IntN(sent[w]-answeredAtKill[w])
		g.WaitFor("a child to kill", func() bool { return kill(w, progress) })
	}
	g.Wait(sent[0] + sent[1])
	g.Stop()
	if g.Refused != 0 {
		t.Errorf("%d refused", g.Refused)
	}
	seen := [workers]int{}
	for _, e := range readLedger(t, ledger) {
		var w, i int
		if n, _ := fmt.Sscan(e.what, &w, &i); n != 2 {
			continue
		}
		if i > seen[w] {
			t.Fatalf("worker %d: message %d read before %d", w, i, seen[w])
		}
		seen[w] = max(seen[w], i+1)
	}
	if seen != sent {
		t.Errorf("read %d of %d messages", seen, sent)
	}
}

// TestExecStartFails: without file descriptors no child can start; Ready returns that, and the sink
// tries again.
func TestExecStartFails(t *testing.T) {
	if !sinktest.Alone() {
		cmd, output := sinktest.InOwnProcess(t)
		if err := cmd.Run(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	var full unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &full); err != nil {
		t.Fatal(err)
	}
	command, _ := childCommand(t, "plain")
	s := openExec(t, command, defaultGrace, sink.Config{})
	low := full
	low.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	g := handlertest.Start(t, s, 1, 64)
	g.Send(0, []byte("x"))
	g.WaitFor("the reason", func() bool {
		err := s.Ready()
		return err != nil && strings.Contains(err.Error(), "start: ") && strings.Contains(err.Error(), "too many open files")
	})
	g.WantResolved(0)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &full); err != nil {
		t.Fatal(err)
	}
	g.Wait(1)
	if g.Code(0) != 0 || s.Ready() != nil {
		t.Errorf("code %d, %v", g.Code(0), s.Ready())
	}
	g.Stop()
}

// unused is the completer of a handler without messages.
type unused struct{ worker.Completer }

func (unused) Context() context.Context        { return context.Background() }
func (unused) SetHooks(worker.Hooks)           {}
func (unused) ObserveCalls(time.Duration, int) {}

// TestExecCloseWithoutStart: a handler without messages can be closed.
func TestExecCloseWithoutStart(t *testing.T) {
	command, _ := childCommand(t, "plain")
	s := openExec(t, command, defaultGrace, sink.Config{})
	for range 2 {
		h, err := s.Open(unused{})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}
