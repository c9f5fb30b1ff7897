package faults

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a `feedgate run` that a test has started. It is killed with its children
// when the test ends.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	log    *diary
	exited chan struct{}
	ended  bool // as it was to; what it said is of no interest
}

// start starts `feedgate run`, with a backoff that suits a test; later flags beat it.
func start(t *testing.T, url string, args ...string) *process {
	t.Helper()
	g := &process{t: t, log: &diary{}, exited: make(chan struct{})}
	args = append([]string{"run", url, "--admin=127.0.0.1:0", "--reconnect-min=5ms", "--reconnect-max=100ms"}, args...)
	g.cmd = exec.Command(executable, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FEEDGATE_") {
			g.cmd.Env = append(g.cmd.Env, v)
		}
	}
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	g.cmd.WaitDelay = time.Second
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(g.exited)
		// The status is read from ProcessState; an error says no more.
		_ = g.cmd.Wait()
	}()
	t.Cleanup(g.discard)
	return g
}

// nsqURL is the upstream URL of the nsqd, or of the relay, at addr.
func nsqURL(addr string) string { return "nsq://" + addr + "/" + topic + "/" + channel }

// discard ends the gateway, if nothing else has, and looks at what it has left on
// standard error.
func (g *process) discard() {
	ended := g.ended
	g.kill()
	if crash := g.log.crash(); crash != "" {
		g.t.Errorf("the gateway broke down: %s", crash)
	}
	if g.t.Failed() && !ended {
		g.t.Logf("%q said last:\n%s", g.cmd.Args, g.log.tail())
	}
}

// kill is kill -9, for its children too.
func (g *process) kill() {
	// The group may outlive its leader, or be gone.
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
	<-g.exited
	g.ended = true
}

// exit waits for the end of the gateway and checks its status.
func (g *process) exit(want int) {
	g.t.Helper()
	select {
	case <-g.exited:
	case <-time.After(patience):
		g.t.Fatalf("still running after %v", patience)
	}
	if got := g.cmd.ProcessState.ExitCode(); got != want {
		g.t.Fatalf("exit status %d, want %d", got, want)
	}
	g.ended = true
}

// stop is SIGTERM to a gateway that is to drain.
func (g *process) stop() {
	g.t.Helper()
	g.signal(syscall.SIGTERM)
	g.exit(0)
}

func (g *process) signal(s os.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		g.t.Fatal(err)
	}
}

func (g *process) running() bool {
	select {
	case <-g.exited:
		return false
	default:
		return true
	}
}

// says waits until standard error has said the word.
func (g *process) says(word string) {
	g.t.Helper()
	eventually(g.t, fmt.Sprintf("%q on standard error", word), func() bool { return g.log.holds(word) })
}

// peak is the most memory that the gateway has ever had resident, in bytes.
func (g *process) peak() int64 {
	g.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		g.t.Fatalf("VmHWM: %v", err)
	}
	return kb << 10
}
