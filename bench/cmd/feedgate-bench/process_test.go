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

// patience bounds every wait. It does not measure speed.
const patience = 2 * time.Minute

// feedgate is the path of the product, with this program in the same directory: tests run this one
// as users do.
var feedgate string

// raceBuild is set if both have the race detector.
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
	// By default the race detector delays every exit by a second.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// outcome is the result of a command.
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

// file creates a file with the text and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsageErrors(t *testing.T) {
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

// TestVariablesAreNamedInErrors: that of a flag, and an unknown one.
func TestVariablesAreNamedInErrors(t *testing.T) {
	done := command(t, []string{"FEEDGATE_SIZE=many", "FEEDGATE_FOO=s3cret", "FEEDGATE_SINK=x"}, "bench")
	if done.status != 2 || !strings.Contains(done.stderr, "(set by FEEDGATE_SIZE)") || !strings.Contains(done.stderr, "feedgate: FEEDGATE_FOO: ignored") ||
		strings.Contains(done.stderr, "s3cret") || strings.Contains(done.stderr, "FEEDGATE_SINK") {
		t.Errorf("%+v", done)
	}
}

// TestFeedgateKnowsAllVariables: it warns of no variable of a flag of these commands.
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
