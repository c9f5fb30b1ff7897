package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"feedgate/bench"
	"feedgate/cmd/feedgate/cli"
)

// benched runs bench.
func benched(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	done := command(t, nil, append([]string{"bench"}, args...)...)
	return done.status, done.stdout, done.stderr
}

func TestBenchExitStatus(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		stderr string
	}{
		{"--subjects=inline,inline-doubles --msgs=2000 --rounds=1", cli.ExitFailure, "acknowledged exactly once"},
		{"--subjects=inline,inline-doubles --msgs=2000 --rounds=1 --fail-if msgs>1", cli.ExitFailure, "acknowledged exactly once"},
		{"--subjects=inline --msgs=2000 --rounds=1 --fail-if msgs>1", exitThreshold, "--fail-if: msgs>1: inline, 64 bytes, 2 workers: msgs is 2000"},
		{"--subjects=inline --msgs=2000 --rounds=1 --fail-if feedgate:msgs>1", cli.ExitUsage, "--fail-if: \"feedgate:msgs>1\": feedgate is not measured"},
		{"--subjects=inline --msgs=1 --duration=1s", cli.ExitUsage, "--duration: does not go with --msgs"},
		{"--workers=2,x", cli.ExitUsage, "--workers"},
		{"--msgs=18446744073709551615", cli.ExitUsage, "--msgs"},
		{"--rate=1e-300", cli.ExitUsage, "--rate"},
		{"--size=64,0", cli.ExitUsage, "--size"},
		{"--subjects=inline --msgs=1 --out=/nonexistent/file", cli.ExitFailure, "--out: open /nonexistent/file"},
	} {
		if status, _, stderr := benched(t, strings.Fields(c.args)...); status != c.status || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: status %d, standard error\n%s", c.args, status, stderr)
		}
	}
}

// TestBenchKeepsAnOldFile: until there are new results.
func TestBenchKeepsAnOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	old := []byte(strings.Repeat("old ", 10000))
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	content := func() []byte {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if status, _, stderr := benched(t, "--subjects=asio@/nonexistent/feedgate", "--msgs=1", "--out", path); status != cli.ExitFailure {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	if !bytes.Equal(content(), old) {
		t.Error("a run that measured nothing has overwritten the file")
	}
	if status, _, stderr := benched(t, "--subjects=inline", "--msgs=1000", "--rounds=1", "--out", path); status != cli.ExitOK {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	if text := content(); !bytes.HasPrefix(text, []byte("{")) || bytes.Contains(text, []byte("old ")) {
		t.Errorf("the file is %.100q", text)
	}
}

// TestBenchLeavesNoEmptyFile: if nothing was measured.
func TestBenchLeavesNoEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	if status, _, stderr := benched(t, "--subjects=asio@/nonexistent/feedgate", "--msgs=1", "--out", path); status != cli.ExitFailure {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file: %v", err)
	}
}

// TestBenchWritesTheFileFirst: it exists even if nobody reads the table.
func TestBenchWritesTheFileFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd := exec.Command(feedgate, "bench", "--subjects=inline, limit", "--size=1, 2", "--msgs=100", "--rounds=1", "--out", path)
	cmd.Stdout = w
	_ = cmd.Run() // it gets SIGPIPE
	w.Close()
	if file, err := bench.ReadFile(path); err != nil || len(file.Rows) != 4 {
		t.Errorf("%v, %+v", err, file)
	}
}

func TestBenchWritesToAPipe(t *testing.T) {
	status, stdout, stderr := benched(t, "--subjects=inline", "--msgs=1000", "--rounds=1", "--out=/dev/stdout")
	if status != cli.ExitOK || !strings.Contains(stdout, `"meta"`) {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

func TestBenchHelpNamesEverySubject(t *testing.T) {
	_, stdout, _ := benched(t, "--help")
	for _, want := range []string{"\n    limit             * bulk", "\n                        how fast can kernel and feed be?\n", "\n    feedgate          * the", "\n    asio                C++17", "\n    kafka-feedgate-key  kafka", "make baselines", "--fail-if=[SUBJECT:]EXPR"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}
