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
	// patience bounds every wait. It is no measure of speed.
	patience = 30 * time.Second
	// pause lies between two looks at something.
	pause = 2 * time.Millisecond
)

// Process is an nsqd or an nsqlookupd. TCP and HTTP are its HOST:PORT for either, the
// same at every start.
type Process struct {
	TCP, HTTP string

	t     testing.TB
	tool  string
	flags []string
	run   *run // nil: it is not running
}

// run is a process from its start to its end.
type run struct {
	cmd   *exec.Cmd
	log   *journal
	ended chan struct{} // closed behind its end
}

// tools are where the executables are, by name.
var tools struct {
	sync.Mutex
	paths map[string]string
}

// executable is a tool's path. Go builds it if its cache does not have it.
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
			t.Logf("log of %s at %s, its end:\n%s", tool, p.TCP, p.run.log.text())
		}
	})
	p.Start()
	return p
}

// Start starts the process, or starts it again, and returns when it listens.
func (p *Process) Start() {
	p.t.Helper()
	if p.run != nil {
		p.t.Fatal("nsqtest: Start of what is running")
	}
	first := p.TCP == ""
	for limit := time.Now().Add(patience); ; {
		if first {
			p.TCP, p.HTTP = someAddr(), someAddr()
		}
		err := p.attempt(limit)
		if err == nil {
			return
		}
		// Ports can be taken in the meantime; those that clients know are worth waiting for.
		if !strings.Contains(err.Error(), "address already in use") || time.Now().After(limit) {
			p.t.Fatalf("starting %s: %v", p.tool, err)
		}
		time.Sleep(pause)
	}
}

// attempt leaves a process that listens, or none.
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
		_ = r.cmd.Wait() // how it ends is for its log to say
	}()
	p.run = r
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	select {
	case <-r.log.listening:
		return nil
	case <-r.ended:
		p.run = nil
		return fmt.Errorf("it ended: %s", r.log.text())
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("not within %v: %s", patience, r.log.text())
	}
}

// Kill ends the process at once, as kill -9 does. It may have ended before.
func (p *Process) Kill() {
	if p.run == nil {
		return
	}
	_ = p.run.cmd.Process.Kill()
	<-p.run.ended
	p.run = nil
}

// Stop ends the process as its service manager would: it writes down what it has.
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

// Signal sends the process a signal. A SIGSTOP needs no SIGCONT before Kill.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if p.run == nil {
		p.t.Fatalf("nsqtest: %v to what is not running", s)
	}
	if err := p.run.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%v to %s: %v", s, p.tool, err)
	}
}

// someAddr lies below the ports that Linux gives to clients: a client that connects
// again and again to a port of theirs may be given that port, and reach itself.
func someAddr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(10000+rand.IntN(22000)))
}
