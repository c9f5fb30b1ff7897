package sink

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// child is one child process, the leader of a process group of its own, and its
// pipes. Any goroutine may end it; who started it closes out.
type child struct {
	cmd   *exec.Cmd
	in    *os.File      // the end of its standard input that we write
	out   *os.File      // the end of its standard output that we read
	grace time.Duration // how long it has to do what it is asked to

	ending sync.Once
	exited chan struct{} // closed once it was reaped
	status error         // of Wait; set before exited is closed

	mu     sync.Mutex
	reaped bool // its number may mean another process
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
	// A signal from the terminal must not end children before the drain, and what
	// the shell has started must end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	stdin.Close()
	stdout.Close()
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	c := &child{cmd: cmd, in: in, out: out, grace: grace, exited: make(chan struct{})}
	go c.reap()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// reap waits for the child to end, ends what it leaves behind in its group, and
// closes its input, which ends a write that is blocked.
func (c *child) reap() {
	// An error could only say that there is no such child to wait for.
	_ = waitEnd(c.pid())
	c.mu.Lock()
	// As long as the child is not reaped, nobody else can get its number.
	_ = syscall.Kill(-c.pid(), syscall.SIGKILL)
	c.status = c.cmd.Wait()
	c.reaped = true
	c.mu.Unlock()

	c.in.Close()
	// Its last answers lie in the pipe. The end of the pipe may stay away: a
	// process that has left the group may hold it.
	_ = c.out.SetReadDeadline(time.Now().Add(c.grace))
	close(c.exited)
}

// signal sends sig to the child's group, if the child is still there.
func (c *child) signal(sig syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		_ = syscall.Kill(-c.pid(), sig)
	}
}

// end closes the child's input and waits until it has ended: by itself, after
// TERM when it has not within the grace period, after KILL when it has not within
// another.
func (c *child) end() {
	c.ending.Do(func() {
		c.in.Close()
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			if c.endsWithin(c.grace) {
				return
			}
			c.signal(sig)
		}
	})
	<-c.exited
}

func (c *child) kill() { c.signal(syscall.SIGKILL) }

func (c *child) endsWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.exited:
		return true
	case <-timer.C:
		return false
	}
}
