package testkit

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is a `feedgate run` that a test has started. It is killed with its children
// when the test ends.
type Process struct {
	Log *Output

	t      testing.TB
	cmd    *exec.Cmd
	exited chan struct{}
	ended  bool // as expected, so the log is not printed
}

// Launch has the options of Start.
type Launch struct {
	Args   []string // after those of Start, so they override them
	Env    []string
	Admin  bool   // serve an admin address, for Get
	UID    uint32 // 0: the test's own
	Before string // a shell command that runs first, such as `ulimit -n 20`
}

// Start starts `feedgate run` with sink discard: and a short backoff.
func Start(t testing.TB, l Launch) *Process {
	t.Helper()
	p := &Process{t: t, Log: &Output{}, exited: make(chan struct{})}
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
		// ProcessState has the status; the error adds nothing.
		_ = p.cmd.Wait()
	}()
	t.Cleanup(p.discard)
	return p
}

// discard kills the process, if it has not ended, and checks its output for crashes.
func (p *Process) discard() {
	ended := p.ended
	p.Kill()
	if crash := p.Log.crash(); crash != "" {
		p.t.Errorf("the gateway crashed: %s", crash)
	}
	if p.t.Failed() && !ended {
		p.t.Logf("end of the output of %q:\n%s", p.cmd.Args, p.Log.Tail())
	}
}

// PID returns the process ID, even after the end of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill sends SIGKILL to the process and its children, and waits for its end.
func (p *Process) Kill() {
	// The group may outlive its leader, or have ended.
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.exited
	p.ended = true
}

// Signal sends a signal to a running process.
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

// Stop sends SIGTERM and expects exit status 0.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	p.Exit(0)
}

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Status returns the exit status of a process that has ended.
func (p *Process) Status() int { return p.cmd.ProcessState.ExitCode() }

// WaitLog waits until the log has each of the words.
func (p *Process) WaitLog(words ...string) {
	p.t.Helper()
	for _, word := range words {
		p.waitFor(fmt.Sprintf("%q on standard error", word), func() bool { return p.Log.Has(word) })
	}
}

// waitFor waits until done returns true. It fails the test if the process ends before.
func (p *Process) waitFor(what string, done func() bool) {
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

// AdminAddr waits for the admin address and returns it as HOST:PORT.
func (p *Process) AdminAddr() string {
	p.t.Helper()
	var match [][]byte
	p.waitFor("the admin address", func() bool {
		match = p.Log.find(adminLine)
		return match != nil
	})
	return string(match[1])
}

// Get returns the admin address's response to a GET of path.
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

// PeakRSS returns the process's peak resident memory in bytes.
func (p *Process) PeakRSS() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		p.t.Fatalf("VmHWM: %v", err)
	}
	return kb << 10
}

// Ready returns nil if /ready is 200, else its text.
func (p *Process) Ready() error {
	p.t.Helper()
	client := http.Client{Timeout: Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + p.AdminAddr() + "/ready")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d: %s", answer.StatusCode, text)
	}
	return err
}

// WaitReady waits until /ready is 200; with words, until it is 503 and has each of them.
func (p *Process) WaitReady(words ...string) {
	p.t.Helper()
	var err error
	defer func() {
		if p.t.Failed() {
			p.t.Logf("the last /ready: %v", err)
		}
	}()
	p.waitFor(fmt.Sprintf("/ready with %q", words), func() bool {
		err = p.Ready()
		if len(words) == 0 || err == nil {
			return err == nil && len(words) == 0
		}
		for _, word := range append(words, "503: ") {
			if !strings.Contains(err.Error(), word) {
				return false
			}
		}
		return true
	})
}
