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

// process is a child that speaks lines of JSON on its standard output. Its two
// goroutines end with the child, or when what it has left behind has kept its
// output open for longer than orphanDelay; wait waits for both.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  <-chan []byte // closed once the child has ended, or has said what is no line
	stderr *opening
	ended  <-chan struct{} // closed when err is set
	err    error           // of the child's end
}

// orphanDelay is how long a child's own children may outlive it with its output.
const orphanDelay = time.Second

// start starts a child that ends when ctx does, or this process. env is added to this
// process's environment.
func start(ctx context.Context, args []string, env ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	// A signal from the terminal is the harness's to answer.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = orphanDelay
	p := &process{cmd: cmd, stderr: new(opening)}
	cmd.Cancel = func() error { p.kill(); return nil }
	cmd.Stderr = p.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// With a pipe of exec's own Wait would not end while an orphan holds it.
	stdout, written := io.Pipe()
	cmd.Stdout = written
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines, ended := make(chan []byte, 16), make(chan struct{})
	go func() {
		defer close(lines)
		defer stdout.Close() // or a child that says what is no line would wait for ever
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			lines <- bytes.Clone(scanner.Bytes())
		}
	}()
	go func() {
		defer close(ended)
		defer written.Close()
		p.err = cmd.Wait()
		p.killGroup() // what it has left behind; its number is not given out again so soon
	}()
	p.stdin, p.lines, p.ended = stdin, lines, ended
	return p, nil
}

// say sends the child a line.
func (p *process) say(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = p.stdin.Write(append(line, '\n'))
	return err
}

var errSilent = errors.New("ended without a word")

// hear waits for the child's next line.
func (p *process) hear(ctx context.Context, v any) error {
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

// wait waits for the child's end. Its error has what the child said on standard
// error.
func (p *process) wait() error {
	_ = p.stdin.Close()
	for range p.lines { // or its reader would wait to pass on the next
	}
	<-p.ended
	if p.err != nil {
		return errors.Join(p.err, p.stderr.err())
	}
	return nil
}

// kill ends the child and its own children at once, unless it has ended already.
func (p *process) kill() {
	if p.cmd.Process.Signal(syscall.Signal(0)) == nil {
		p.killGroup()
	}
}

func (p *process) killGroup() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// opening keeps the beginning of what is written to it: what a panic or a usage
// error is about stands in its first line. exec's copying goroutine writes, anyone
// reads.
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

// err is the first line as an error, nil when there is none.
func (o *opening) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	line, _, _ := strings.Cut(strings.TrimSpace(string(o.text)), "\n")
	if line == "" {
		return nil
	}
	return errors.New(line)
}
