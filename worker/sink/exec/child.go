package exec

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// killDelay is the time between TERM and KILL for a child that must end at once.
const killDelay = 250 * time.Millisecond

// child is a child process, which leads a process group of its own, and its pipes. Any goroutine
// may end it; the one that started it closes out.
type child struct {
	cmd   *exec.Cmd
	in    *input
	out   *output
	grace time.Duration // how long it may take to end after its input is closed, and again after TERM
	born  time.Time

	ending sync.Once
	forced bool          // it was sent TERM; set before end returns
	exited chan struct{} // closed once it is reaped
	status error         // of Wait; set before exited is closed
	died   time.Time     // set before exited is closed

	mu           sync.Mutex
	reaped       bool // its process ID may belong to another process
	outputClosed bool // its answers are not read any more
}

func startChild(command string, stderr *os.File, grace time.Duration) (*child, error) {
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, stdin.Close(), in.Close())
	}
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	cmd.Env = childEnvironment()
	// A signal from the terminal must not end children before the drain; and processes that the
	// shell has started must end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := newInput(in)
	var output *output
	if err == nil {
		output, err = newOutput(out)
	}
	if err == nil {
		err = cmd.Start()
	}
	stdin.Close()
	stdout.Close()
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	c := &child{cmd: cmd, in: input, out: output, grace: grace, born: time.Now(), exited: make(chan struct{})}
	go c.reap()
	return c, nil
}

// childEnvironment returns the environment without feedgate's settings: some are secret, and none
// is meant for a child.
func childEnvironment() []string {
	env := []string{} // nil would mean the whole environment
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FEEDGATE_") {
			env = append(env, v)
		}
	}
	return env
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// startFault returns nil while the child runs and has written nothing, as is right before its first
// message. Its error continues "child 1 of 2".
func (c *child) startFault() error {
	select {
	case <-c.exited:
	default:
		if c.out.written() > 0 {
			return errors.New("wrote to its standard output before it had a message; " +
				"only answers may go there, other text to standard error")
		}
		return nil
	}
	status := "exit status 0"
	if c.status != nil {
		status = c.status.Error()
	}
	switch c.cmd.ProcessState.ExitCode() {
	case 126:
		status += " (the command cannot be executed)"
	case 127:
		status += " (the command was not found)"
	}
	return fmt.Errorf("ended at once: %s; want a command that keeps running and reads its standard input", status)
}

// reap waits until the child has ended, kills the other processes of its group, reaps it, and
// closes its input, which ends a blocked write.
func (c *child) reap() {
	// The only possible error is that there is no such child.
	_ = waitEnd(c.pid())
	c.mu.Lock()
	// Before the child is reaped, because its process ID cannot be reused until then.
	_ = syscall.Kill(-c.pid(), syscall.SIGKILL)
	c.status = c.cmd.Wait()
	c.died = time.Now()
	c.reaped = true
	if !c.outputClosed {
		// Its last answers are in the pipe, which may never end: a process that has left
		// the group may have it open.
		_ = c.out.SetReadDeadline(c.died.Add(c.grace))
	}
	c.mu.Unlock()

	c.in.close()
	close(c.exited)
}

// release closes the child's input, and makes every later Read of its output fail: the child gets
// no more messages, and its answers do not count.
func (c *child) release() {
	c.in.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outputClosed = true
	_ = c.out.SetReadDeadline(time.Unix(1, 0))
}

// signal sends sig to the child's group, unless the child is reaped.
func (c *child) signal(sig syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		_ = syscall.Kill(-c.pid(), sig)
	}
}

// end closes the child's input and waits until it has ended: by itself, by TERM after the grace
// period, or by KILL after another one. Once hurry is closed, it sends TERM at once, and KILL after
// killDelay. Only the hurry of the first call is used.
func (c *child) end(hurry <-chan struct{}) {
	c.ending.Do(func() {
		c.in.close()
		if c.endsWithin(c.grace, hurry) {
			return
		}
		c.forced = true
		c.signal(syscall.SIGTERM)
		last := min(c.grace, killDelay)
		if c.endsWithin(c.grace-last, hurry) || c.endsWithin(last, nil) {
			return
		}
		c.kill()
	})
	<-c.exited
}

func (c *child) kill() { c.signal(syscall.SIGKILL) }

// endsWithin waits until the child has ended, for up to d, or until hurry is closed. It reports
// whether the child has ended.
func (c *child) endsWithin(d time.Duration, hurry <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.exited:
		return true
	case <-hurry:
	case <-timer.C:
	}
	return false
}
