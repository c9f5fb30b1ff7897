package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// peak returns the peak resident memory of the process in MiB.
func peak(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "VmHWM:")
	if !found {
		t.Fatal("no VmHWM")
	}
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return float64(kib) / 1024
}

// settledPeak returns peak once it has not risen for 3 s.
func settledPeak(t *testing.T, pid int) float64 {
	t.Helper()
	last, since := 0.0, time.Now()
	eventually(t, "the memory stops growing", func() bool {
		if now := peak(t, pid); now > last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 3*time.Second
	})
	return last
}

// TestMemoryIsBounded: the server sends messages of 64 KiB as fast as it can, and none is finished.
// The gateway uses --memory and 40 MiB at most if all fail and wait for a retry, if acks that quote
// them wait for the ack of the oldest, and if the server reads no such acks.
func TestMemoryIsBounded(t *testing.T) {
	if raceBuild {
		t.Skip("the race detector uses too much memory")
	}
	const memory = 32 // MiB
	for name, flags := range map[string][]string{
		// The child answers 1000 to each message.
		"all fail": {"--workers=1", "--retries=5", "--retry-min=10m",
			`--sink=exec:exec perl -e 'binmode STDIN; while (read(STDIN, $h, 4) == 4) { read(STDIN, $d, unpack("N", $h)); syswrite(STDOUT, "\x03\xe8") }'`},
		// The first of two children never answers.
		"the oldest waits": {"--workers=2", "--ack=ordered", "--ack-template={bytes:0:65536}",
			`--sink=exec:exec perl -e 'binmode STDIN; while (read(STDIN, $h, 4) == 4) { read(STDIN, $d, unpack("N", $h)); sleep 600 if substr($d, 0, 1) eq "F"; syswrite(STDOUT, "\0\0") }'`},
		// The child answers the first message after 4 s, and the others at once.
		"acks are not read": {"--workers=1", "--ack=each", "--ack-template={bytes:0:65536}",
			`--sink=exec:exec perl -e 'binmode STDIN; while (read(STDIN, $h, 4) == 4) { read(STDIN, $d, unpack("N", $h)); sleep 4 if substr($d, 0, 1) eq "F"; syswrite(STDOUT, "\0\0") }'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			p := run(t, append([]string{s.url(), "--frame=line", fmt.Sprintf("--memory=%dMiB", memory),
				"--drain-timeout=40m", "--write-timeout=10m"}, flags...)...)
			sent := floodLong(t, s.accept().TCPConn)
			got := settledPeak(t, p.cmd.Process.Pid)
			t.Logf("%d messages sent, peak %.1f MiB resident", sent, got)
			if got > memory+40 {
				t.Errorf("%.1f MiB resident with --memory=%dMiB", got, memory)
			}
		})
	}
}

// floodLong sends messages of 64 KiB, the first of which differs from the others, until a write
// blocks for 2 s or their size exceeds any bound. It returns their number.
func floodLong(t *testing.T, c *net.TCPConn) int {
	t.Helper()
	message := append(bytes.Repeat([]byte{'m'}, 64<<10-1), '\n')
	for sent := 0; ; sent++ {
		message[0] = 'm'
		if sent == 0 {
			message[0] = 'F'
		}
		if sent == 4000 { // 250 MiB
			return sent
		}
		if err := c.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := io.Copy(c, bytes.NewReader(message))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return sent
		case err != nil:
			t.Fatalf("message %d: %v", sent, err)
		}
	}
}
