package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/cmd/feedgate/feedserver"
)

// patience is how long a test waits for an event that should happen at once.
const patience = 20 * time.Second

// binary is the built command.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "feedgate")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "feedgate")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v1.2.3", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// process is a running feedgate.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *output
	ended          chan struct{} // closed when it has ended
}

// start starts feedgate. stderr.seen of the process is closed when standard error contains want.
func start(t *testing.T, want string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary, args...), stdout: newOutput("\x00"), stderr: newOutput(want), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.WaitDelay = patience // for a child of its own that holds its standard error
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%q, standard error:\n%s", args, p.stderr)
		}
	})
	return p
}

// await waits until a channel is closed. event names it in the error.
func (p *process) await(event string, c <-chan struct{}) {
	p.t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		p.t.Fatalf("%s: not within %v", event, patience)
	}
}

// status waits for the end of the process and returns the exit status; -1 if a signal ended it.
func (p *process) status() int {
	p.t.Helper()
	p.await("end of the process", p.ended)
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// serve starts a feed, which is closed when the test ends. It returns the feed and its URL.
func serve(t *testing.T, cfg feedserver.Config) (*feedserver.Server, string) {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	server, err := feedserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, "fg://" + server.Addr().String()
}

// result waits for the end of a feed, checks its acks and returns the counts.
func result(t *testing.T, server *feedserver.Server) feedserver.Counts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	report, err := server.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	return report.Total
}

var freeAddrs atomic.Uint32

// freeAddr returns an address on which nobody listens. All of 127/8 is local, each test process uses
// its own hosts there, and the port is outside the kernel's range of ephemeral ports.
func freeAddr() string {
	n, pid := freeAddrs.Add(1), os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d:10000", 64+pid>>8%128, pid%256, 1+n%250)
}

// get fetches a page of the admin address; status 0: there was no response.
func get(url string) (status int, body string) {
	response, err := http.Get(url)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	all, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(all)
}
