package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stubborn returns a command whose process, and another one that it starts, ignore TERM. They write their
// process IDs to pid2 and pid. The command ends with rest.
func stubborn(dir, rest string) string {
	return `trap "" TERM; (trap "" TERM; while :; do sleep 1; done) & echo $! >` + dir + `/pid2; echo $$ >` + dir + `/pid; ` + rest
}

func readPID(t *testing.T, path string) int {
	t.Helper()
	var text []byte
	eventually(t, path, func() bool {
		text, _ = os.ReadFile(path)
		return strings.HasSuffix(string(text), "\n")
	})
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	// If it has its own process group, process.discard does not kill it.
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	return pid
}

// dead checks that a process has ended. If its parent has, too, it may be a zombie until the process that
// inherited it waits for it.
func dead(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "process "+strconv.Itoa(pid)+" has ended", func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		_, state, _ := strings.Cut(string(stat), ") ")
		return err != nil || strings.HasPrefix(state, "Z")
	})
}

// suspend stops a process by SIGSTOP, and waits until none of its threads runs: the first one has
// to be scheduled before it stops the others.
func suspend(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "process "+strconv.Itoa(pid)+" is stopped", func() bool {
		threads, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
		if err != nil {
			t.Fatal(err)
		}
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			if _, state, _ := strings.Cut(string(stat), ") "); err == nil && !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return len(threads) > 0
	})
}

// lingerTime is how long children that ignore TERM live on after a drain.
const lingerTime = 4 * time.Second

// TestSecondSignalWithStubbornChildren: a second signal ends everything within 1 s, whether the drain
// waits for messages or not.
func TestSecondSignalWithStubbornChildren(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rest     string
		messages int
		status   int
	}{
		"unanswered": {"while :; do sleep 1; done", 1, 1},
		"idle":       {"while :; do sleep 1; done", 0, 0},
		"answered":   {`[ $(head -c 5 | wc -c) = 5 ] && printf '\000\000'; while :; do sleep 1; done`, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p, _, conn := connectFG(t, "{}", "--workers=2", "--dispatch=key", "--key=bytes:0:1",
				"--drain-timeout=1h", "--sink=exec:cd "+dir+" && mkdir $$ && cd $$ && "+stubborn(".", c.rest))
			var pids []int
			eventually(t, "two children", func() bool {
				files, _ := filepath.Glob(dir + "/*/pid")
				return len(files) == 2
			})
			files, _ := filepath.Glob(dir + "/*/pid*")
			for _, file := range files {
				pids = append(pids, readPID(t, file))
			}
			if len(pids) != 4 {
				t.Fatalf("%q", files)
			}
			if c.messages > 0 {
				conn.send(data(1, "m"))
			}
			if c.status == 0 && c.messages > 0 {
				conn.acked(1)
			}
			conn.fence(1)
			p.signal(syscall.SIGTERM)
			p.waitLog("stopping")
			start := time.Now()
			p.signal(syscall.SIGTERM)
			conn.leave()
			p.exit(c.status)
			// It takes 1 s at most, and longer on a busy machine. Without the second signal,
			// children that ignore TERM would have lingerTime.
			if took := time.Since(start); took >= lingerTime {
				t.Errorf("the process ended %v after the second signal", took)
			}
			for _, pid := range pids {
				dead(t, pid)
			}
		})
	}
}

// TestDrainTimeoutBoundsLingeringChildren: the child has answered every message, so the status is 0, but it
// does not end on its own. It is killed after --drain-timeout.
func TestDrainTimeoutBoundsLingeringChildren(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, _, c := connectFG(t, "{}", "--workers=1", "--drain-timeout=500ms", "--sink=exec:"+
		stubborn(dir, `head -c 5 >/dev/null; printf '\000\000'; while :; do sleep 1; done`))
	pids := []int{readPID(t, dir+"/pid"), readPID(t, dir+"/pid2")}
	c.send(data(1, "m"))
	c.acked(1)
	start := time.Now()
	p.signal(syscall.SIGTERM)
	c.leave()
	p.exit(0)
	if took := time.Since(start); took >= lingerTime {
		t.Errorf("took %v with --drain-timeout=500ms", took)
	}
	for _, pid := range pids {
		dead(t, pid)
	}
}

// TestDrainLetsChildrenFinish: after its last answer, a child has time to finish its work at the end of its
// input.
func TestDrainLetsChildrenFinish(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, _, c := connectFG(t, "{}", "--workers=1", "--sink=exec:head -c 5 >/dev/null; "+
		`printf '\000\000'; cat >/dev/null; sleep 0.3; echo finished >`+dir+"/end")
	c.send(data(1, "m"))
	c.acked(1)
	p.stop(c)
	if text, err := os.ReadFile(dir + "/end"); err != nil || string(text) != "finished\n" {
		t.Errorf("%q, %v", text, err)
	}
}
