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

// placed is a copy of the binary under test, alone in a directory.
func placed(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "feedgate")
	install(t, path, exec.Command("install", underTest(t), path))
	return path
}

// plantBench makes a feedgate-bench, a script, in a directory.
func plantBench(t *testing.T, dir, script string) {
	t.Helper()
	path := filepath.Join(dir, "feedgate-bench")
	cmd := exec.Command("install", "/dev/stdin", path)
	cmd.Stdin = strings.NewReader("#!/bin/sh\n" + script + "\n")
	install(t, path, cmd)
}

// install makes an executable in another process. A file that this one had open for writing
// could not be run while a child of another test, just forked, has it open still.
func install(t *testing.T, path string, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("making %s: %v\n%s", path, err, out)
	}
}

// placedCommand runs a copy of feedgate with dir in front of the PATH.
func placedCommand(t *testing.T, feedgate, dir, stdin string, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), feedgate, args...)
	cmd.Env = append(testkit.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	_ = cmd.Run() // the status tells
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// TestBenchProgramIsFound beside feedgate, or else in the PATH; arguments, streams and the exit
// status pass through.
func TestBenchProgramIsFound(t *testing.T) {
	t.Parallel()
	const script = `echo "$0 $*"; cat; echo oops >&2; exit 99`
	for _, name := range []string{"bench", "report"} {
		feedgate, path := placed(t), t.TempDir()
		plantBench(t, path, script)
		args := []string{name, "--help", "a b"}
		for _, dir := range []string{path, filepath.Dir(feedgate)} {
			if dir != path {
				plantBench(t, dir, script)
			}
			got := placedCommand(t, feedgate, path, "in", args...)
			want := outcome{99, fmt.Sprintf("%s/feedgate-bench %s\nin", dir, strings.Join(args, " ")), "oops\n"}
			if got != want {
				t.Errorf("%s, expected of %s: %+v, not %+v", name, dir, got, want)
			}
		}
	}
}

// TestBenchProgramIsMissing: what to do is printed.
func TestBenchProgramIsMissing(t *testing.T) {
	t.Parallel()
	feedgate := placed(t)
	for _, args := range [][]string{{"bench"}, {"bench", "--help"}, {"report", "x.json"}} {
		got := placedCommand(t, feedgate, t.TempDir(), "", args...)
		build := "go build -C bench -o " + filepath.Dir(feedgate) + "/feedgate-bench ./cmd/feedgate-bench\n"
		if got.status != 1 || got.stdout != "" || !strings.HasPrefix(got.stderr, "feedgate: "+args[0]+": there is no feedgate-bench in "+filepath.Dir(feedgate)) ||
			!strings.Contains(got.stderr, "make build\n") || !strings.Contains(got.stderr, build) {
			t.Errorf("%q: %+v", args, got)
		}
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(feedgate), "feedgate-bench"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := placedCommand(t, feedgate, "/", "", "bench"); got.status != 1 || !strings.Contains(got.stderr, "feedgate-bench: permission denied") {
		t.Errorf("a directory of that name: %+v", got)
	}
}

// TestBenchProgramGetsSignals: it is the process that feedgate was.
func TestBenchProgramGetsSignals(t *testing.T) {
	t.Parallel()
	feedgate := placed(t)
	plantBench(t, filepath.Dir(feedgate), `trap 'exit 3' TERM; echo $$; while :; do sleep 0.05; done`)
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
	_ = cmd.Wait() // the status tells
	if status := cmd.ProcessState.ExitCode(); status != 3 {
		t.Errorf("status %d, not the program's 3", status)
	}
}

// TestBenchSubjectInTheProduct: where bench is told to measure feedgate@PATH with the product's
// binary at PATH, the fault shows what to name.
func TestBenchSubjectInTheProduct(t *testing.T) {
	t.Parallel()
	got := command(t, nil, "bench-subject", "feedgate", "--addr", "127.0.0.1:1")
	if got.status != 2 || got.stdout != "" || !strings.HasPrefix(got.stderr, "feedgate: feedgate has no subjects of bench: after the @, name the feedgate-bench") {
		t.Errorf("%+v", got)
	}
}
