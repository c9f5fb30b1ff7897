package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a child process that writes lines of JSON to its standard output. Its two goroutines end with
// the child, or orphanDelay later if the child's own children keep its output open. wait waits for both.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  <-chan []byte // closed once the child has ended, or has written an overlong line
	stderr *opening
	ended  <-chan struct{} // closed when err is set
	err    error           // of the child's end
}

// orphanDelay is how long a child's own children may keep its output open after its end.
const orphanDelay = time.Second

// start starts a child that is killed when ctx ends, or this process. env is added to the
// environment of this process.
func start(ctx context.Context, args []string, env ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	// In its own process group, so that only the harness gets signals from the terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = orphanDelay
	p := &process{cmd: cmd, stderr: new(opening)}
	cmd.Cancel = func() error { p.kill(); return nil }
	cmd.Stderr = p.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// With StdoutPipe, Wait would not return while an orphan keeps the pipe open.
	stdout, written := io.Pipe()
	cmd.Stdout = written
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines, ended := make(chan []byte, 16), make(chan struct{})
	go func() {
		defer close(lines)
		defer stdout.Close() // unblocks a child that has written an overlong line
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			lines <- bytes.Clone(scanner.Bytes())
		}
	}()
	go func() {
		defer close(ended)
		defer written.Close()
		p.err = cmd.Wait()
		p.killGroup() // its orphans; the group's ID is not reused so soon
	}()
	p.stdin, p.lines, p.ended = stdin, lines, ended
	return p, nil
}

// send writes v to the child as a line of JSON.
func (p *process) send(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = p.stdin.Write(append(line, '\n'))
	return err
}

var errSilent = errors.New("ended without output")

// receive waits for the child's next line and decodes it into v.
func (p *process) receive(ctx context.Context, v any) error {
	select {
	case line, ok := <-p.lines:
		if !ok {
			return errSilent
		}
		if err := json.Unmarshal(line, v); err != nil {
			return fmt.Errorf("unreadable line %.80q: %w", line, err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wait waits for the child's end. Its error includes the first line that the child wrote to standard error.
func (p *process) wait() error {
	_ = p.stdin.Close()
	for range p.lines { // unblocks its reader
	}
	<-p.ended
	if p.err != nil {
		return errors.Join(p.err, p.stderr.err())
	}
	return nil
}

// kill kills the child and its own children, if it has not ended.
func (p *process) kill() {
	if p.cmd.Process.Signal(syscall.Signal(0)) == nil {
		p.killGroup()
	}
}

func (p *process) killGroup() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// opening keeps the beginning of the text written to it: the first line of a panic or a usage error has the
// reason. The copying goroutine of package exec writes to it; any goroutine may read it.
type opening struct {
	mu   sync.Mutex
	text []byte
}

const openingBytes = 4 << 10

func (o *opening) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, b[:min(len(b), openingBytes-len(o.text))]...)
	return len(b), nil
}

// err returns the first line as an error, nil if there is none.
func (o *opening) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	line, _, _ := strings.Cut(strings.TrimSpace(string(o.text)), "\n")
	if line == "" {
		return nil
	}
	return errors.New(line)
}
