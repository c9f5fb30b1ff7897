package cpp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// outcome is the output of feedgate-asio at its end.
type outcome struct {
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	CPUNS    int64  `json:"cpu_ns"`
	RSSBytes int64  `json:"rss_bytes"`
}

// process is a feedgate-asio that has reported that it is ready.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
}

// launch starts a process, which ends with the test at the latest.
func launch(t *testing.T, addr string, workers int, more ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	args := append([]string{"--addr", addr, "--workers", strconv.Itoa(workers)}, more...)
	p := &process{t: t, cmd: exec.CommandContext(ctx, built(t, asio), args...)}
	p.cmd.Stderr = &p.stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Wait() }) // after a failed test, whose context has ended
	p.stdin, p.stdout = stdin, bufio.NewReader(stdout)
	if line, err := p.stdout.ReadString('\n'); err != nil || line != "{\"ready\":true}\n" {
		cancel()
		t.Fatalf("output %q, %v, and ended with %v; stderr: %s", line, err, p.cmd.Wait(), &p.stderr)
	}
	return p
}

// begin sends the order to begin, and closes standard input, which must have no effect.
func (p *process) begin() {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, "go\n"); err != nil {
		p.t.Fatal(err)
	}
	if err := p.stdin.Close(); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the end and returns the outcome, the exit status and standard error.
func (p *process) end() (output string, status int, stderr string) {
	p.t.Helper()
	rest, err := io.ReadAll(p.stdout)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		p.t.Fatal(err)
	}
	return string(rest), p.cmd.ProcessState.ExitCode(), p.stderr.String()
}

// succeeds runs the process and returns its outcome.
func (p *process) succeeds() (o outcome) {
	p.t.Helper()
	p.begin()
	output, status, stderr := p.end()
	if status != 0 || stderr != "" {
		p.t.Fatalf("exit %d; stderr: %s", status, stderr)
	}
	d := json.NewDecoder(strings.NewReader(output))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil || strings.Count(output, "\n") != 1 {
		p.t.Fatalf("output %q: %v", output, err)
	}
	if o.CPUNS <= 0 || o.RSSBytes < 1<<20 {
		p.t.Errorf("outcome %+v: a process uses more than that", o)
	}
	return o
}

// fails runs the process and expects an error with these words.
func (p *process) fails(words string) {
	p.t.Helper()
	p.begin()
	output, status, stderr := p.end()
	if status != 1 || output != "" || !strings.HasPrefix(stderr, "feedgate-asio: ") || !strings.Contains(stderr, words) {
		p.t.Errorf("exit %d, output %q; stderr: %s; want exit 1 and %q", status, output, stderr, words)
	}
}
