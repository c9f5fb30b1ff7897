package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"feedgate/cmd/feedgate/cli"
	"feedgate/cmd/feedgate/e2e/testkit"
)

// patience bounds every wait. It is no measure of speed.
const patience = 2 * time.Minute

// feedgate is the built product, with this program beside it: tests run this one as users do.
var feedgate string

// raceBuild says that both carry the race detector.
var raceBuild = os.Getenv("FEEDGATE_TEST_RACE") == "1"

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "feedgate-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	feedgate = filepath.Join(dir, "feedgate")
	for _, program := range []struct{ module, path string }{{"../../..", "./cmd/feedgate"}, {"../..", "./cmd/feedgate-bench"}} {
		args := []string{"build", "-C", program.module, "-o", filepath.Join(dir, filepath.Base(program.path))}
		if raceBuild {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, program.path)...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", program.path, err, out)
			return 1
		}
	}
	// Under the race detector every process sleeps for a second at its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// outcome is what a command has done.
type outcome struct {
	status         int
	stdout, stderr string
}

// command runs feedgate to its end.
func command(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	status, stdout, stderr := testkit.Command(t, patience, env, feedgate, args...)
	return outcome{status, stdout, stderr}
}

// run runs a command as main does.
func run(args []string, stdout, stderr io.Writer) int {
	return execute(context.Background(), args, &globals{stdout: stdout, stderr: stderr})
}

// file makes a file.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsage(t *testing.T) {
	for line, want := range map[string]string{
		"report":                     "<FILE> ...",
		"report a.json --html=x b":   "feedgate report FILE1 FILE2 --FLAG",
		"bench --subjects=nothing":   "--subjects",
		"bench --size=many":          "--size",
		"bench --fail-if=slow":       "--fail-if",
		"bench --frobnicate":         "see feedgate bench --help",
		"report --html=x --frob=yes": "see feedgate report --help",
	} {
		done := command(t, nil, strings.Fields(line)...)
		if done.status != 2 || done.stdout != "" || !strings.Contains(done.stderr, want) {
			t.Errorf("%s: %+v; want status 2 and %q", line, done, want)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for line, want := range map[string]string{"bench --help": "--fail-if", "report --help": "--html"} {
		done := command(t, nil, strings.Fields(line)...)
		if done.status != 0 || !strings.HasPrefix(done.stdout, "Usage: feedgate ") || !strings.Contains(done.stdout, want) || done.stderr != "" {
			t.Errorf("%s: %+v", line, done)
		}
	}
	var stdout, stderr strings.Builder
	if status := run([]string{"--version"}, &stdout, &stderr); status != 0 || !strings.HasPrefix(stdout.String(), "feedgate-bench ") || stderr.String() != "" {
		t.Errorf("status %d, %q, %q", status, stdout.String(), stderr.String())
	}
}

// TestVariables: flags have variables, which errors name; one that no flag has is named, too.
func TestVariables(t *testing.T) {
	done := command(t, []string{"FEEDGATE_SIZE=many", "FEEDGATE_FOO=s3cret", "FEEDGATE_SINK=x"}, "bench")
	if done.status != 2 || !strings.Contains(done.stderr, "(set by FEEDGATE_SIZE)") || !strings.Contains(done.stderr, "feedgate: FEEDGATE_FOO: ignored") ||
		strings.Contains(done.stderr, "s3cret") || strings.Contains(done.stderr, "FEEDGATE_SINK") {
		t.Errorf("%+v", done)
	}
}

// TestFeedgateKnowsAllVariables: it warns of none that a flag of these commands has.
func TestFeedgateKnowsAllVariables(t *testing.T) {
	parser, err := kong.New(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, leaf := range parser.Model.Leaves(true) {
		for _, flag := range leaf.Flags {
			env = append(env, cli.EnvName(flag.Name)+"=?")
		}
	}
	if done := command(t, env, "bench"); len(env) < 12 || done.status != 2 || strings.Contains(done.stderr, "ignored") {
		t.Errorf("%d variables; %+v", len(env), done)
	}
}
