package nsqtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience bounds every wait. It does not measure speed.
	patience = 30 * time.Second
	// pause is the interval of polls.
	pause = 2 * time.Millisecond
)

// Process is an nsqd or an nsqlookupd. TCP and HTTP are its addresses, HOST:PORT, the same at every
// start.
type Process struct {
	TCP, HTTP string

	t     testing.TB
	tool  string
	flags []string
	run   *run // nil: not running
}

// run is a process from its start to its end.
type run struct {
	cmd   *exec.Cmd
	log   *journal
	ended chan struct{} // closed after its end
}

// tools has the paths of executables, by name.
var tools struct {
	sync.Mutex
	paths map[string]string
}

// executable returns the path of a tool, which the go command builds if necessary.
func executable(name string) (string, error) {
	tools.Lock()
	defer tools.Unlock()
	if path, found := tools.paths[name]; found {
		return path, nil
	}
	cmd := exec.Command("go", "tool", "-n", "github.com/nsqio/nsq/apps/"+name)
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, faults.String())
	}
	if tools.paths == nil {
		tools.paths = make(map[string]string)
	}
	tools.paths[name] = strings.TrimSpace(string(out))
	return tools.paths[name], nil
}

// launch starts a process that ends with the test.
func launch(t testing.TB, tool string, flags []string) *Process {
	t.Helper()
	path, err := executable(tool)
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{t: t, tool: path, flags: flags}
	t.Cleanup(p.Kill)
	t.Cleanup(func() {
		if t.Failed() && p.run != nil {
			t.Logf("end of the log of %s at %s:\n%s", tool, p.TCP, p.run.log.text())
		}
	})
	p.Start()
	return p
}

// Start starts or restarts the process, and returns when it listens.
func (p *Process) Start() {
	p.t.Helper()
	if p.run != nil {
		p.t.Fatal("nsqtest: Start: already running")
	}
	first := p.TCP == ""
	for limit := time.Now().Add(patience); ; {
		if first {
			p.TCP, p.HTTP = randomAddr(), randomAddr()
		}
		err := p.attempt(limit)
		if err == nil {
			return
		}
		// Another process may use a port meanwhile. At a restart, wait for it, because clients
		// know it.
		if !strings.Contains(err.Error(), "address already in use") || time.Now().After(limit) {
			p.t.Fatalf("starting %s: %v", p.tool, err)
		}
		time.Sleep(pause)
	}
}

// attempt starts the process and waits until it listens. After an error it does not run.
func (p *Process) attempt(limit time.Time) error {
	r := &run{log: newJournal(2), ended: make(chan struct{})}
	r.cmd = exec.Command(p.tool, append([]string{
		"--tcp-address=" + p.TCP, "--http-address=" + p.HTTP, "--broadcast-address=127.0.0.1",
	}, p.flags...)...)
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(r.ended)
		_ = r.cmd.Wait() // the log has the reason
	}()
	p.run = r
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	select {
	case <-r.log.listening:
		return nil
	case <-r.ended:
		p.run = nil
		return fmt.Errorf("ended: %s", r.log.text())
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("not listening within %v: %s", patience, r.log.text())
	}
}

// Kill sends SIGKILL to the process, if it runs, and waits for its end.
func (p *Process) Kill() {
	if p.run == nil {
		return
	}
	_ = p.run.cmd.Process.Kill()
	<-p.run.ended
	p.run = nil
}

// Stop sends SIGTERM, upon which nsqd saves its messages, and waits for the end.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.run.ended:
		p.run = nil
	case <-time.After(patience):
		p.t.Fatalf("%s does not stop", p.tool)
	}
}

// Signal sends a signal to the process. After SIGSTOP, Kill works without SIGCONT.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if p.run == nil {
		p.t.Fatalf("nsqtest: signal %v: not running", s)
	}
	if err := p.run.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v to %s: %v", s, p.tool, err)
	}
}

// randomAddr returns an address with a port below Linux's ephemeral ports: a client that keeps
// dialing an ephemeral port may get that port itself, and connect to itself.
func randomAddr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(10000+rand.IntN(22000)))
}
