package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// patience bounds every wait for something that must happen. It does not measure speed: a healthy
// run stays far below it.
const patience = 20 * time.Second

// process is a feedgate started by a test, which owns it. It is killed with its children when the test
// ends.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *output
	stderr *output
	admin  string
	exited chan struct{}
}

// output collects what a process writes; any goroutine may read it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// launch has the options of a process.
type launch struct {
	args []string
	env  []string
	// sink is set if env or a configuration file sets --sink. Otherwise it is discard: by default.
	sink bool
	// stdout and stderr replace the collected output. The test closes them.
	stdout, stderr *os.File
	// prepare changes the command before it is started.
	prepare func(*exec.Cmd)
	// through is a command that runs the command line appended to it.
	through []string
	// hung is a path whose fsync hangs from the start, in runOnDiskWith.
	hung string
}

// run starts `feedgate run` with its own admin address, sink discard: and a short backoff. args
// override these.
func run(t *testing.T, args ...string) *process {
	t.Helper()
	return runWith(t, launch{args: args})
}

func runWith(t *testing.T, l launch) *process {
	t.Helper()
	admin := freshAddress()
	before := []string{"run", "--admin=" + admin, "--reconnect-min=10ms", "--reconnect-max=50ms"}
	if !l.sink {
		before = append(before, "--sink=discard:")
	}
	l.args = append(before, l.args...)
	p := start(t, l)
	p.admin = admin
	return p
}

func start(t *testing.T, l launch) *process {
	t.Helper()
	p := &process{t: t, stdout: &output{}, stderr: &output{}, exited: make(chan struct{})}
	whole := append(append(l.through, underTest(t)), l.args...)
	p.cmd = exec.Command(whole[0], whole[1:]...)
	p.cmd.Env = append(testkit.Environ(), l.env...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if l.stdout != nil {
		p.cmd.Stdout = l.stdout
	}
	if l.stderr != nil {
		p.cmd.Stderr = l.stderr
	}
	// In its own process group, so that the children of an exec sink are killed with it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = time.Second
	if l.prepare != nil {
		l.prepare(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		// ProcessState has the status; the error adds nothing.
		_ = p.cmd.Wait()
	}()
	mine, _ := started.LoadOrStore(t, &[]*process{})
	all := mine.(*[]*process)
	*all = append(*all, p)
	t.Cleanup(func() { started.Delete(t); p.discard() })
	return p
}

// started has the processes of each test: *testing.T to *[]*process. One goroutine of a test starts
// them.
var started sync.Map

// allEnded reports whether every process of the test has ended, so that waiting is pointless.
func allEnded(t *testing.T) bool {
	mine, any := started.Load(t)
	if !any {
		return false
	}
	for _, p := range *mine.(*[]*process) {
		if p.running() {
			return false
		}
	}
	return true
}

// discard kills the process, if it has not ended, and checks standard error for crashes.
func (p *process) discard() {
	// The group may outlive its leader, if an exec child was left.
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("killing the group: %v", err)
	}
	<-p.exited
	for _, crash := range []string{"panic:", "fatal error:", "WARNING: DATA RACE"} {
		if strings.Contains(p.stderr.String(), crash) {
			p.t.Errorf("standard error has %q", crash)
		}
	}
	if p.t.Failed() {
		p.t.Logf("command: %q\nstandard error:\n%s", p.cmd.Args, tail(p.stderr.String()))
	}
}

func tail(text string) string {
	if len(text) > 6000 {
		return "..." + text[len(text)-6000:]
	}
	return text
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
}

// running reports whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// exit waits for the end of the process and checks its exit status.
func (p *process) exit(want int) {
	p.t.Helper()
	if got := p.status(patience); got != want {
		p.t.Fatalf("exit status %d, want %d", got, want)
	}
}

// status waits for the end of the process and returns its exit status.
func (p *process) status(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(limit):
		p.t.Fatalf("still running after %v", limit)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop sends SIGTERM and expects status 0. It reads the connections to their end and closes them, as
// a server does.
func (p *process) stop(conns ...*fgConn) {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	for _, c := range conns {
		c.leave()
	}
	p.exit(0)
}

// waitLog waits until standard error has each of the words.
func (p *process) waitLog(words ...string) {
	p.t.Helper()
	for _, word := range words {
		eventually(p.t, fmt.Sprintf("%q on standard error", word), func() bool {
			return strings.Contains(p.stderr.String(), word)
		})
	}
}

// outcome is the result of a short command.
type outcome struct {
	status         int
	stdout, stderr string
}

// command runs feedgate to its end. After patience it is killed, and its status is -1.
func command(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	status, stdout, stderr := testkit.Command(t, patience, env, underTest(t), args...)
	return outcome{status, stdout, stderr}
}

var addresses atomic.Uint32

// freshAddress returns a loopback address that nothing else uses, neither in this test process nor in
// another one: all of 127/8 is local, and each call takes another host. Port 0 would not do, because
// the command does not report the port that it gets.
func freshAddress() string {
	n := addresses.Add(1)
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d:%d", 64+pid>>8%128, pid%256, 1+n%250, 20000+n/250)
}

// eventually waits until done returns true. what names that in the error.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !done(); {
		if time.Now().After(limit) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
