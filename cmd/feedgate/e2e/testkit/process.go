package testkit

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// Process is a `feedgate run` that a test has started. It is killed with its children
// when the test ends.
type Process struct {
	Log *Diary

	t      testing.TB
	cmd    *exec.Cmd
	exited chan struct{}
	ended  bool // as it was to; what it said is of no interest
}

// Launch is how a process is started.
type Launch struct {
	Args   []string // behind those of Start, and beat them
	Env    []string
	Admin  bool   // for Get: there is an admin address
	UID    uint32 // 0: the test's own
	Before string // shell that is run first, as `ulimit -n 20`
}

// Start starts `feedgate run`, with a sink that counts and a backoff that suits a test.
func Start(t testing.TB, l Launch) *Process {
	t.Helper()
	p := &Process{t: t, Log: &Diary{}, exited: make(chan struct{})}
	admin := "--admin="
	if l.Admin {
		admin += "127.0.0.1:0"
	}
	args := append([]string{"run", admin, "--sink=discard:", "--reconnect-min=5ms", "--reconnect-max=100ms"}, l.Args...)
	p.cmd = exec.Command(executable, args...)
	if l.Before != "" {
		p.cmd = exec.Command("/bin/sh", append([]string{"-c", l.Before + ` && exec "$0" "$@"`, executable}, args...)...)
	}
	p.cmd.Env = append(Environ(), l.Env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Log, p.Log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if l.UID != 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: l.UID, Gid: l.UID}
	}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		// The status is read from ProcessState; an error says no more.
		_ = p.cmd.Wait()
	}()
	t.Cleanup(p.discard)
	return p
}

// discard ends the process, if nothing else has, and looks at what it has left on
// standard error.
func (p *Process) discard() {
	ended := p.ended
	p.Kill()
	if crash := p.Log.crash(); crash != "" {
		p.t.Errorf("the gateway broke down: %s", crash)
	}
	if p.t.Failed() && !ended {
		p.t.Logf("%q said last:\n%s", p.cmd.Args, p.Log.Tail())
	}
}

// PID is its process ID, also behind its end.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill is kill -9, for its children too.
func (p *Process) Kill() {
	// The group may outlive its leader, or be gone.
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.exited
	p.ended = true
}

// Signal sends a signal to a process that runs.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
}

// Exit waits for the end of the process and checks its status.
func (p *Process) Exit(want int) {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(Patience):
		p.t.Fatalf("still running after %v", Patience)
	}
	if got := p.Status(); got != want {
		p.t.Fatalf("exit status %d, want %d", got, want)
	}
	p.ended = true
}

// Stop is SIGTERM to a process that is to drain what it has, if anything.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	p.Exit(0)
}

// Running says that the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Status is the exit status of a process that does not run.
func (p *Process) Status() int { return p.cmd.ProcessState.ExitCode() }

// Says waits until standard error has said every one of the words.
func (p *Process) Says(words ...string) {
	p.t.Helper()
	for _, word := range words {
		p.alive(fmt.Sprintf("%q on standard error", word), func() bool { return p.Log.Holds(word) })
	}
}

// alive waits until done says so, of a process that may end only then.
func (p *Process) alive(what string, done func() bool) {
	p.t.Helper()
	Eventually(p.t, what, func() bool {
		ended := !p.Running()
		if done() {
			return true
		}
		if ended {
			p.t.Fatalf("ended with status %d, without %s", p.Status(), what)
		}
		return false
	})
}

var adminLine = regexp.MustCompile(`admin address".* addr=(\S+)`)

// AdminAddr is HOST:PORT of the admin address, once there is one.
func (p *Process) AdminAddr() string {
	p.t.Helper()
	var said [][]byte
	p.alive("the admin address", func() bool {
		said = p.Log.find(adminLine)
		return said != nil
	})
	return string(said[1])
}

// Get is what the admin address answers to a GET of path.
func (p *Process) Get(path string) ([]byte, error) {
	p.t.Helper()
	client := http.Client{Timeout: Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + p.AdminAddr() + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}
