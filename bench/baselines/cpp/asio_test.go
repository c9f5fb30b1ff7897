package cpp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/cmd/feedgate/feedserver"
	"feedgate/cmd/feedgate/feedserver/feedtest"
)

// startFeed starts a feed server that ends with the test.
func startFeed(t *testing.T, cfg feedserver.Config) *feedserver.Server {
	t.Helper()
	built(t, asio) // otherwise no client would connect
	return feedtest.Start(t, cfg)
}

// wantAll checks that every message was acked once, and that the client reports the same number.
func wantAll(t *testing.T, s *feedserver.Server, o outcome, count, size uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := s.Wait(ctx)
	if err = errors.Join(err, r.Err()); err != nil {
		t.Fatal(err)
	}
	got := r.Total
	if got.Sent != count || got.Acknowledged != count || got.Refused+got.Early+got.ProtocolErrors+got.Resent > 0 {
		t.Errorf("report %+v, want %d acknowledged", got, count)
	}
	if len(r.Clients) != 1 || r.Clients[0].Client != "asio" || got.Connections != 1 {
		t.Errorf("clients %+v", r.Clients)
	}
	if o.Messages != count || o.Bytes != count*size {
		t.Errorf("outcome %+v, want %d messages of %d bytes", o, count, size)
	}
}

func TestASIOAcknowledgesAllOnce(t *testing.T) {
	built(t, asio)
	for size, count := range map[int]int64{1: 20_000, 64: 20_000, 5000: 4_000} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("size=%d/workers=%d", size, workers), func(t *testing.T) {
				s := startFeed(t, feedserver.Config{Count: count, Size: size})
				o := launch(t, s.Addr().String(), workers).succeeds()
				wantAll(t, s, o, uint64(count), uint64(size))
			})
		}
	}
}

func TestASIOJoinsSplitFrames(t *testing.T) {
	s := startFeed(t, feedserver.Config{Count: 500, Size: 40, Chaos: feedserver.Chaos{SplitMin: 1, SplitMax: 7}})
	wantAll(t, s, launch(t, s.Addr().String(), 2).succeeds(), 500, 40)
}

func TestASIOWithPingsInBetween(t *testing.T) {
	s := startFeed(t, feedserver.Config{Count: 500, Rate: 1000, Heartbeat: 100 * time.Millisecond})
	wantAll(t, s, launch(t, s.Addr().String(), 2).succeeds(), 500, 64)
}

func TestASIODoesItsWork(t *testing.T) {
	const count, work = 500, 200 * time.Microsecond
	s := startFeed(t, feedserver.Config{Count: count, Size: 100})
	o := launch(t, s.Addr().String(), 2, "--work-ns", fmt.Sprint(work.Nanoseconds()), "--read").succeeds()
	wantAll(t, s, o, count, 100)
	// Everything else takes about 5 ms. CPUs that increase their frequency burn less than requested.
	if least := count * work / 4; o.CPUNS < least.Nanoseconds() {
		t.Errorf("burnt %v, want %v at least", time.Duration(o.CPUNS), least)
	}
}

func TestASIOFailsWhenTheFeedResets(t *testing.T) {
	s := startFeed(t, feedserver.Config{Count: 100_000, Batch: 5000, Chaos: feedserver.Chaos{Reset: 1}})
	launch(t, s.Addr().String(), 2).fails("")
}

// TestASIOConnectsWhenToldTo: nobody listens on the address before the client is ready.
func TestASIOConnectsWhenToldTo(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", bound.(*unix.SockaddrInet4).Port)
	launch(t, addr, 1).fails("Connection refused")

	p := launch(t, addr, 1)
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	ln, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := serveOne(ln, func(c *server) error {
		return errors.Join(c.login(), c.send(bye), c.want(bye), c.wantEnd())
	})
	if o := p.succeeds(); o.Messages != 0 || o.Bytes != 0 {
		t.Errorf("outcome %+v", o)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestASIOEndsWithoutTheOrderToBegin(t *testing.T) {
	p := launch(t, "127.0.0.1:1", 1)
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if output, status, stderr := p.end(); status != 1 || output != "" || !strings.Contains(stderr, "standard input") {
		t.Errorf("exit %d, output %q; stderr: %s", status, output, stderr)
	}
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		program func() (string, error)
		args    string
		names   string // in the message
	}{
		{asio, "--workers 1", "--addr"},
		{asio, "--addr 127.0.0.1 --workers 1", "--addr"},
		{asio, "--addr 127.0.0.1: --workers 1", "--addr"},
		{asio, "--addr 127.0.0.1:1 --workers 0", "--workers"},
		{asio, "--addr 127.0.0.1:1 --workers 1x", "--workers"},
		{asio, "--addr 127.0.0.1:1 --workers", "--workers"},
		{asio, "--addr 127.0.0.1:1 --workers 1 --work-ns=-1", "--work-ns"},
		{asio, "--addr 127.0.0.1:1 --workers 1 --read=yes", "--read"},
		{asio, "--addr 127.0.0.1:1 --workers 1 more", "more"},
		{spsc, "--mode single --bytes 8 --capacity 4", "--entries"},
		{spsc, "--mode double --bytes 8 --capacity 4 --entries 1", "--mode"},
		{spsc, "--mode single --bytes 7 --capacity 4 --entries 1", "--bytes"},
		{spsc, "--mode single --bytes 8 --capacity 0 --entries 1", "--capacity"},
	} {
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(t.Context(), built(t, c.program), strings.Fields(c.args)...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Fatal(err)
		}
		fault, _, _ := strings.Cut(stderr.String(), "\n")
		if cmd.ProcessState.ExitCode() != 2 || stdout.Len() > 0 || !strings.Contains(fault, c.names) {
			t.Errorf("%s: %v, output %q; stderr: %s", c.args, cmd.ProcessState, &stdout, &stderr)
		}
	}
}
