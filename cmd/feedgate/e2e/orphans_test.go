package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// subreaperVariable makes the test binary a subreaper, which then executes the command in its arguments.
const subreaperVariable = "ACCEPT_SUBREAPER"

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER of prctl(2).
const prSetChildSubreaper = 36

// becomeSubreaper does not return.
func becomeSubreaper() {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
	if errno == 0 {
		os.Unsetenv(subreaperVariable)
		errno = syscall.Exec(os.Args[1], os.Args[1:], os.Environ()).(syscall.Errno)
	}
	fmt.Fprintln(os.Stderr, "subreaper:", errno)
	os.Exit(2)
}

// asProcess1 starts the process as process 1 of its own PID namespace.
func asProcess1(cmd *exec.Cmd) {
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
	if uid := os.Geteuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
	}
}

// asSubreaper starts the process as a subreaper.
func asSubreaper(cmd *exec.Cmd) {
	cmd.Env = append(cmd.Env, subreaperVariable+"=1")
	cmd.Args = append([]string{os.Args[0], cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.Err = exec.LookPath(os.Args[0])
}

// TestOrphansAreReaped: orphans become children of feedgate if it is process 1 or a subreaper. It
// still gets the exit statuses of its own children.
func TestOrphansAreReaped(t *testing.T) {
	t.Parallel()
	for name, as := range map[string]func(*exec.Cmd){"process 1": asProcess1, "subreaper": asSubreaper} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kids, s := newChildren(t), listenFG(t)
			p := runWith(t, launch{args: []string{s.url(), "--workers=1", kids.sink(t)}, prepare: as})
			c := s.accept()
			c.welcome(1, "{}")
			const orphans = 30
			var seq uint64
			for i := range orphans {
				seq++
				c.send(data(seq, "orphan"))
				c.acked(seq)
				if i%10 == 5 {
					seq++
					c.send(data(seq, "die"))
					if codes := c.acks(1); codes[seq] != 1 {
						t.Fatalf("codes %v", codes)
					}
				}
			}
			var left []string
			eventually(t, "all orphans are reaped", func() bool {
				left = childrenOf(t, p.cmd.Process.Pid)
				return len(left) == 1 && !strings.HasSuffix(left[0], " Z")
			})
			p.waitLog("exit status 3")
			if strings.Contains(p.stderr.String(), "no child processes") {
				t.Error("the exit status of a child was lost")
			}
			p.stop(c)
		})
	}
}

// childrenOf returns the processes whose parent is pid, including zombies.
func childrenOf(t *testing.T, pid int) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// PID (COMMAND) STATE PPID ...
		head, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			all = append(all, head+") "+fields[0])
		}
	}
	return all
}
