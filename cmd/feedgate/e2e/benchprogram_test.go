package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// copyAlone copies the binary under test to an empty directory.
func copyAlone(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "feedgate")
	install(t, path, exec.Command("install", underTest(t), path))
	return path
}

// installBench installs a script as feedgate-bench in a directory.
func installBench(t *testing.T, dir, script string) {
	t.Helper()
	path := filepath.Join(dir, "feedgate-bench")
	cmd := exec.Command("install", "/dev/stdin", path)
	cmd.Stdin = strings.NewReader("#!/bin/sh\n" + script + "\n")
	install(t, path, cmd)
}

// install creates an executable from another process. If this process wrote it, a child just forked by
// another test might still have it open for writing, and exec would fail (ETXTBSY).
func install(t *testing.T, path string, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("creating %s: %v\n%s", path, err, out)
	}
}

// commandWithPath runs a copy of feedgate with dir first in PATH.
func commandWithPath(t *testing.T, feedgate, dir, stdin string, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), feedgate, args...)
	cmd.Env = append(testkit.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	_ = cmd.Run() // ProcessState has the status
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// TestBenchProgramIsFound: in feedgate's directory, or else in PATH. Arguments, standard streams and the
// exit status are passed on.
func TestBenchProgramIsFound(t *testing.T) {
	t.Parallel()
	const script = `echo "$0 $*"; cat; echo oops >&2; exit 99`
	for _, name := range []string{"bench", "report"} {
		feedgate, path := copyAlone(t), t.TempDir()
		installBench(t, path, script)
		args := []string{name, "--help", "a b"}
		for _, dir := range []string{path, filepath.Dir(feedgate)} {
			if dir != path {
				installBench(t, dir, script)
			}
			got := commandWithPath(t, feedgate, path, "in", args...)
			want := outcome{99, fmt.Sprintf("%s/feedgate-bench %s\nin", dir, strings.Join(args, " ")), "oops\n"}
			if got != want {
				t.Errorf("%s, expected of %s: %+v, not %+v", name, dir, got, want)
			}
		}
	}
}

// TestMissingBenchProgramIsExplained: the error shows how to build it.
func TestMissingBenchProgramIsExplained(t *testing.T) {
	t.Parallel()
	feedgate := copyAlone(t)
	for _, args := range [][]string{{"bench"}, {"bench", "--help"}, {"report", "x.json"}} {
		got := commandWithPath(t, feedgate, t.TempDir(), "", args...)
		build := "go build -C bench -o " + filepath.Dir(feedgate) + "/feedgate-bench ./cmd/feedgate-bench\n"
		if got.status != 1 || got.stdout != "" || !strings.HasPrefix(got.stderr, "feedgate: "+args[0]+": feedgate-bench is neither in "+filepath.Dir(feedgate)) ||
			!strings.Contains(got.stderr, "make build\n") || !strings.Contains(got.stderr, build) {
			t.Errorf("%q: %+v", args, got)
		}
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(feedgate), "feedgate-bench"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := commandWithPath(t, feedgate, "/", "", "bench"); got.status != 1 || !strings.Contains(got.stderr, "feedgate-bench: permission denied") {
		t.Errorf("a directory named feedgate-bench: %+v", got)
	}
}

// TestBenchProgramGetsSignals: it replaces feedgate in its process.
func TestBenchProgramGetsSignals(t *testing.T) {
	t.Parallel()
	feedgate := copyAlone(t)
	installBench(t, filepath.Dir(feedgate), `trap 'exit 3' TERM; echo $$; while :; do sleep 0.05; done`)
	cmd := exec.Command(feedgate, "bench")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdout := &output{}
	cmd.Stdout = stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }()
	eventually(t, "the trap", func() bool { return stdout.String() == fmt.Sprintln(cmd.Process.Pid) })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // ProcessState has the status
	if status := cmd.ProcessState.ExitCode(); status != 3 {
		t.Errorf("status %d, not the program's 3", status)
	}
}

// TestSubjectOfTheProductIsExplained: if bench is to measure feedgate@PATH and PATH is the product's
// binary, the error shows which binary to name.
func TestSubjectOfTheProductIsExplained(t *testing.T) {
	t.Parallel()
	got := command(t, nil, "bench-subject", "feedgate", "--addr", "127.0.0.1:1")
	if got.status != 2 || got.stdout != "" || !strings.HasPrefix(got.stderr, "feedgate: this is feedgate, which cannot be measured alone: after the @, name the feedgate-bench") {
		t.Errorf("%+v", got)
	}
}
