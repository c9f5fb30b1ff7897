package chaos

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// gateway is a `feedgate run` that a test has started. It is killed with its
// children when the test ends.
type gateway struct {
	t      *testing.T
	cmd    *exec.Cmd
	log    *diary
	admin  string // empty: off
	exited chan struct{}
	ended  bool // as it was to; what it said is of no interest
}

// launch is how a gateway is started, where the arguments are not all.
type launch struct {
	args   []string
	env    []string
	admin  string // its address; empty: none
	uid    uint32 // 0: the test's own
	before string // shell that is run first, as `ulimit -n 20`
}

// start starts `feedgate run`, with a backoff that suits a test; later flags beat
// it.
func start(t *testing.T, args ...string) *gateway {
	t.Helper()
	return launch{args: args}.start(t)
}

func (l launch) start(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, log: &diary{}, admin: l.admin, exited: make(chan struct{})}
	args := append([]string{"run", "--admin=" + l.admin, "--reconnect-min=5ms", "--reconnect-max=100ms"}, l.args...)
	g.cmd = exec.Command(executable, args...)
	if l.before != "" {
		g.cmd = exec.Command("/bin/sh", append([]string{"-c", l.before + ` && exec "$0" "$@"`, executable}, args...)...)
	}
	g.cmd.Env = append(cleanEnvironment(), l.env...)
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if l.uid != 0 {
		g.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: l.uid, Gid: l.uid}
	}
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

// cleanEnvironment is the environment without anything that feedgate reads.
func cleanEnvironment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FEEDGATE_") && !strings.HasPrefix(v, "GOMAXPROCS=") {
			env = append(env, v)
		}
	}
	return env
}

// discard ends the gateway, if nothing else has, and looks at what it has left on
// standard error.
func (g *gateway) discard() {
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
func (g *gateway) kill() {
	// The group may outlive its leader, or be gone.
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
	<-g.exited
	g.ended = true
}

func (g *gateway) signal(s os.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		g.t.Fatalf("signal %v: %v", s, err)
	}
}

// exit waits for the end of the gateway and checks its status.
func (g *gateway) exit(want int) {
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

// stop is SIGTERM to a gateway that has nothing left to do.
func (g *gateway) stop() {
	g.t.Helper()
	g.signal(syscall.SIGTERM)
	g.exit(0)
}

func (g *gateway) running() bool {
	select {
	case <-g.exited:
		return false
	default:
		return true
	}
}

// says waits until standard error has said every one of the words.
func (g *gateway) says(words ...string) {
	g.t.Helper()
	for _, word := range words {
		eventually(g.t, fmt.Sprintf("%q on standard error", word), func() bool {
			if !g.running() {
				g.t.Fatalf("ended with status %d, and %q was not said", g.cmd.ProcessState.ExitCode(), word)
			}
			return g.log.holds(word)
		})
	}
}

// metric is the sum of a metric over its labels; ok is false when the admin address
// does not answer, as happens beside a kill.
func (g *gateway) metric(name string) (sum float64, ok bool) {
	g.t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + g.admin + "/metrics")
	if err != nil {
		return 0, false
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, false
	}
	line := regexp.MustCompile(`(?m)^` + name + `(?:\{[^}]*\})? (\S+)$`)
	for _, m := range line.FindAllSubmatch(body, -1) {
		value, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			g.t.Fatalf("%s: %v", m[0], err)
		}
		sum, ok = sum+value, true
	}
	return sum, ok
}

// must is metric of a gateway that is to answer.
func (g *gateway) must(name string) float64 {
	g.t.Helper()
	value, ok := g.metric(name)
	if !ok {
		g.t.Fatalf("no %s at the admin address", name)
	}
	return value
}

// diary is what a gateway writes, of which it keeps the end. Any goroutine may read.
type diary struct {
	mu     sync.Mutex
	text   []byte
	lines  int
	broken string
}

// diaryBytes is how much is kept at least.
const diaryBytes = 128 << 10

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text = append(d.text, p...)
	d.lines += bytes.Count(p, []byte("\n"))
	for _, word := range []string{"panic:", "fatal error:", "WARNING: DATA RACE", "SIGXFSZ"} {
		if d.broken == "" && bytes.Contains(d.text[max(0, len(d.text)-len(p)-32):], []byte(word)) {
			d.broken = word
		}
	}
	if len(d.text) > 2*diaryBytes {
		d.text = append(d.text[:0], d.text[len(d.text)-diaryBytes:]...)
	}
	return len(p), nil
}

func (d *diary) holds(word string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Contains(d.text, []byte(word))
}

func (d *diary) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines
}

func (d *diary) crash() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken
}

func (d *diary) tail() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.text[max(0, len(d.text)-6000):])
}
