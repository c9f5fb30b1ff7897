package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a child that speaks lines of JSON on its standard output. Its reader
// goroutine ends with the child, which wait waits for.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  <-chan []byte // closed at the end of its output
	stderr *tail
}

// start starts a child that ends when ctx does, or this process.
func start(ctx context.Context, args []string) (*process, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	// A signal from the terminal is the harness's to answer.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second // should a child of its own keep the output open
	p := &process{cmd: cmd, stderr: new(tail)}
	cmd.Stderr = p.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := make(chan []byte, 16)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			lines <- bytes.Clone(scanner.Bytes())
		}
	}()
	p.stdin, p.lines = stdin, lines
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
	for range p.lines { // Wait may close the pipe only after it was read to its end
	}
	if err := p.cmd.Wait(); err != nil {
		return errors.Join(err, p.stderr.err())
	}
	return nil
}

// kill ends the child at once.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// tail keeps the end of what is written to it. exec's copying goroutine writes,
// anyone reads.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

// err is the last line as an error, nil when there is none.
func (t *tail) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.text))
	if text == "" {
		return nil
	}
	return errors.New(text[strings.LastIndexByte(text, '\n')+1:])
}
