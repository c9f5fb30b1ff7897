package e2e

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// resident returns the process's resident memory in MiB.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// raceFactor is how much more memory the race detector may use.
func raceFactor() float64 {
	if raceBuild {
		return 10
	}
	return 1
}

// sender sends messages until stop is set, then BYE.
type sender struct {
	sent atomic.Uint64
	stop atomic.Bool
	done chan error
}

func (s *sender) run(c *fgConn, message string) {
	for seq := uint64(1); !s.stop.Load(); {
		var batch []byte
		first := seq
		for seq < first+64 {
			batch = data(seq, message).append(batch)
			seq++
		}
		if _, err := c.Write(batch); err != nil {
			s.done <- err
			return
		}
		s.sent.Store(seq - 1)
	}
	_, err := c.Write(bye(0).append(nil))
	s.done <- err
}

// TestUnreadAcksStopReading: while the server reads no acks, the gateway stops reading, stays within its
// memory and keeps the connection. It resumes when the server reads again.
func TestUnreadAcksStopReading(t *testing.T) {
	t.Parallel()
	p, c := smallWindow(t, "--exit-on-close", "--in-flight=4096", "--memory=8MiB", "--max-message=64KiB",
		"--heartbeat=200ms", "--idle-timeout=2s", "--write-timeout=1m")
	s := &sender{done: make(chan error, 1)}
	if err := c.SetWriteDeadline(time.Now().Add(volumePatience)); err != nil {
		t.Fatal(err)
	}
	go s.run(c, strings.Repeat("m", 64))
	stalled(t, s)
	t.Logf("stopped reading after %d messages; resident %.1f MiB", s.sent.Load(), resident(t, p.cmd.Process.Pid))
	// Longer than --idle-timeout, which is paused while the gateway does not read.
	for range 35 {
		time.Sleep(100 * time.Millisecond)
		if now := resident(t, p.cmd.Process.Pid); now > 100*raceFactor() {
			t.Fatalf("resident memory %.1f MiB", now)
		}
	}
	s.stop.Store(true)
	acks := drainAcks(t, c)
	if err := <-s.done; err != nil {
		t.Fatalf("sender: %v", err)
	}
	checkOnce(t, acks, s.sent.Load())
	c.close()
	p.exit(0)
}

// stalled waits until the sender has made no progress for a second.
func stalled(t *testing.T, s *sender) {
	t.Helper()
	last, since := uint64(0), time.Now()
	eventually(t, "the gateway stops reading", func() bool {
		if now := s.sent.Load(); now != last || now == 0 {
			last, since = now, time.Now()
		}
		return time.Since(since) > time.Second
	})
}

// drainAcks reads acks up to BYE and the end of the stream.
func drainAcks(t *testing.T, c *fgConn) map[uint64]int {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(volumePatience)); err != nil {
		t.Fatal(err)
	}
	acks := map[uint64]int{}
	in := bufio.NewReaderSize(c.in, 64<<10)
	for {
		f, err := readFrame(in)
		switch {
		case err != nil:
			t.Fatalf("after %d acks: %v", len(acks), err)
		case f.op == opAck && f.code == 0:
			acks[f.seq]++
		case f.op == opBye:
			return acks
		case f.op != opPing:
			t.Fatalf("unexpected %v", f)
		}
	}
}

// TestInFlightLimitsTheWindow: while the oldest message is not done, the gateway takes no more messages
// than --in-flight, and resumes when it is done.
func TestInFlightLimitsTheWindow(t *testing.T) {
	t.Parallel()
	const limit, count = 16, 1000
	kids, door := newChildren(t), newGate(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=2", fmt.Sprint("--in-flight=", limit), kids.sink(t))
	frames := []frame{data(1, door.wait())}
	for seq := uint64(2); seq <= count; seq++ {
		frames = append(frames, data(seq, "m"))
	}
	c.send(frames...)
	p.waitMetric(limit, "feedgate_messages_total")
	for range 20 {
		if n := p.metric("feedgate_in_flight"); n > limit {
			t.Errorf("feedgate_in_flight %v", n)
		}
		if n := len(kids.deliveries(t)); n > limit {
			t.Fatalf("%d messages delivered", n)
		}
	}
	if n := p.metric("feedgate_messages_total"); n != limit {
		t.Errorf("%v messages taken while the first is not done", n)
	}
	door.open(t)
	got := c.acks(count)
	if len(got) != count {
		t.Errorf("%d acks", len(got))
	}
	c.finish(0, 0)
	p.exit(0)
}

// TestIdleGatewayUsesLittleMemory also logs its CPU time.
func TestIdleGatewayUsesLittleMemory(t *testing.T) {
	p, _, c := connectFG(t, "{}", "--workers=2")
	for seq := uint64(1); seq <= 2000; seq++ {
		c.send(data(seq, "warm"))
	}
	c.acks(2000)
	before, began := cpuTime(t, p.cmd.Process.Pid), time.Now()
	time.Sleep(3 * time.Second)
	used := cpuTime(t, p.cmd.Process.Pid) - before
	memory := resident(t, p.cmd.Process.Pid)
	t.Logf("idle: %.2f %% of a core, resident %.1f MiB", 100*used.Seconds()/time.Since(began).Seconds(), memory)
	if memory > 40*raceFactor() {
		t.Errorf("resident memory %.1f MiB, want at most 40", memory)
	}
	p.signal(syscall.SIGTERM)
	c.leave()
	p.exit(0)
}

// cpuTime returns the CPU time of the process, from /proc, in ticks of 10 ms.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// Field 3 follows the command in parentheses; see proc_pid_stat(5).
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	ticks := time.Duration(0)
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}
