package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feedgate/bench"
	"feedgate/cmd/feedgate/cli"
)

// results writes a file of bench with one rate to the directory dir, and returns its path.
func results(t *testing.T, dir, name string, rate float64) string {
	t.Helper()
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	file := bench.File{Rows: []bench.Row{{Subject: "feedgate", Size: 64, Workers: 2, Rounds: 5, MsgsPerS: &rate}}}
	if err := errors.Join(file.Encode(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReport: of one file, and a comparison of two.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	before, after := results(t, dir, "before.json", 2e6), results(t, dir, "after.json", 3e6)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{before}, "M msg/s"},
		{[]string{before, after}, "+50.0%"},
	} {
		var stdout, stderr strings.Builder
		if status := run(append([]string{"report"}, c.args...), &stdout, &stderr); status != cli.ExitOK || stderr.String() != "" {
			t.Errorf("status %d, standard error\n%s", status, stderr.String())
		}
		if !strings.HasPrefix(stdout.String(), c.args[0]) && !strings.HasPrefix(stdout.String(), "#1: "+c.args[0]) || !strings.Contains(stdout.String(), c.want) {
			t.Errorf("no %s in\n%s", c.want, stdout.String())
		}
	}
}

// TestReportErrors: they name the file, and nothing is printed unless all files can be read.
func TestReportErrors(t *testing.T) {
	dir := t.TempDir()
	good := results(t, dir, "good.json", 1e6)
	foreign := file(t, "foreign.json", `{"a": 1}`)
	broken := file(t, "broken.json", `{"rows": [`)
	link := filepath.Join(dir, "link.html")
	if err := os.Symlink("good.json", link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   []string
	}{
		{nil, cli.ExitUsage, []string{"FILE", "see feedgate report --help"}},
		{[]string{good, "--htm=x"}, cli.ExitUsage, []string{"--htm"}},
		{[]string{good, "--html", good}, cli.ExitUsage, []string{"feedgate: --html: " + good}},
		{[]string{good, "--html", link}, cli.ExitUsage, []string{"feedgate: --html: " + link}},
		{[]string{filepath.Join(dir, "not"), good, foreign, broken}, cli.ExitFailure, []string{filepath.Join(dir, "not") + ": no such file", "feedgate: " + foreign + ": ", "feedgate: " + broken + ": "}},
		{[]string{dir}, cli.ExitFailure, []string{dir}},
	} {
		var stdout, stderr strings.Builder
		if status := run(append([]string{"report"}, c.args...), &stdout, &stderr); status != c.status {
			t.Errorf("%q: status %d", c.args, status)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%q: no %q in standard error\n%s", c.args, want, stderr.String())
			}
		}
		if stdout.String() != "" {
			t.Errorf("%q: standard output\n%s", c.args, stdout.String())
		}
	}
	if status := run([]string{"report", good}, io.Discard, io.Discard); status != cli.ExitOK {
		t.Error("a file to report on was changed")
	}
}

// TestReportReplacesThePage: also through a symbolic link. After an error the old page is
// unchanged. There are no other files.
func TestReportReplacesThePage(t *testing.T) {
	dir := t.TempDir()
	good := results(t, dir, "good.json", 1e6)
	page, link := filepath.Join(dir, "page.html"), filepath.Join(dir, "link.html")
	if err := os.Symlink("page.html", link); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{page, link, page} {
		var stderr strings.Builder
		if status := run([]string{"report", good, "--html", to}, io.Discard, &stderr); status != cli.ExitOK || stderr.String() != "" {
			t.Fatalf("status %d, %s", status, stderr.String())
		}
		text, err := os.ReadFile(page)
		if err != nil || !strings.HasPrefix(string(text), "<!doctype html>") || !strings.HasSuffix(string(text), "</html>\n") {
			t.Errorf("%v, page\n%s", err, text)
		}
		if err := os.WriteFile(page, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if target, err := os.Readlink(link); err != nil || target != "page.html" {
		t.Errorf("the link is %q, %v", target, err)
	}
	for _, to := range []string{filepath.Join(dir, "none", "page.html"), dir} {
		var stdout, stderr strings.Builder
		status := run([]string{"report", good, "--html", to}, &stdout, &stderr)
		if status != cli.ExitFailure || !strings.HasPrefix(stderr.String(), "feedgate: --html: ") || !strings.Contains(stderr.String(), to) {
			t.Errorf("%s: status %d, %s", to, status, stderr.String())
		}
		if !strings.Contains(stdout.String(), "M msg/s") {
			t.Errorf("%s: the text is not there", to)
		}
	}
	if text, err := os.ReadFile(page); err != nil || string(text) != "old" {
		t.Errorf("%v, page\n%s", err, text)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("%v, left behind: %v", err, entries)
	}
}

// TestReportWritesToAPipe: --html need not be a regular file.
func TestReportWritesToAPipe(t *testing.T) {
	good := results(t, t.TempDir(), "good.json", 1e6)
	done := command(t, nil, "report", good, "--html=/dev/stdout")
	if done.status != cli.ExitOK || !strings.Contains(done.stdout, "M msg/s") || !strings.HasSuffix(done.stdout, "</html>\n") {
		t.Errorf("status %d, standard output\n%s", done.status, done.stdout)
	}
}
