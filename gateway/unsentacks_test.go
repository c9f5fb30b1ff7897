package gateway

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
	"feedgate/worker/testkit"
)

// TestServerClosesWithoutReadingAcks: all messages of the server are handled, and Run returns an
// error because of the unsent acks.
func TestServerClosesWithoutReadingAcks(t *testing.T) {
	ln := testkit.Listen(t)
	gate := make(chan struct{})
	cfg := testConfig(t, "tcp://"+ln.Addr().String(), func(worker.Message) worker.Code { <-gate; return worker.OK })
	cfg.InFlight = 1000
	setFlag(&cfg, "frame", "line")
	setFlag(&cfg, "ack-template", `A{n}\n`)
	r := start(t, cfg)
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	const n = 10_000
	if _, err := c.Write([]byte(strings.Repeat("0123456789\n", n))); err != nil {
		t.Fatal(err)
	}
	c.Close()
	close(gate)
	if err := r.wait(); !errors.Is(err, ErrUnfinished) {
		t.Errorf("error %v, want ErrUnfinished", err)
	}
	if got := r.g.Stats().Messages.Load(); got != n {
		t.Errorf("%d of %d messages handled", got, n)
	}
}

// shrink gives later connections a small receive buffer.
func (f *testFeed) shrink() {
	f.t.Helper()
	shrink(f.t, f.ln)
}

func shrink(t testing.TB, ln net.Listener) {
	t.Helper()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	set := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
	if err = errors.Join(err, set); err != nil {
		t.Fatal(err)
	}
}

// sendMany sends n empty messages.
func (c *feedConn) sendMany(first uint64, n int) {
	c.t.Helper()
	var b []byte
	for i := range uint64(n) {
		b = fg1.AppendFrame(b, fg1.Data, 0, 0, first+i, nil)
	}
	c.send(b)
}

// waitSendBlocked waits until unread acks stop a gateway from reading.
func waitSendBlocked(t *testing.T, s *Stats, window uint64) {
	t.Helper()
	waitFor(t, func() bool { return s.Messages.Load() >= window && s.InFlight.Load() == 0 })
}

// TestUnsentAcks: acks that the kernel cannot transmit because the server does not read count as
// in flight, until it reads.
func TestUnsentAcks(t *testing.T) {
	const window, messages = 1000, 5000
	feed := newTestFeed(t)
	feed.shrink()
	cfg := testConfig(t, feed.url(), accept)
	cfg.InFlight = window
	cfg.Heartbeat, cfg.IdleTimeout = time.Hour, NoTimeout // nothing else wakes the loop
	r := start(t, cfg)
	conn := feed.login(1, `{"session":"s"}`)
	conn.sendMany(1, messages)
	waitSendBlocked(t, r.g.Stats(), window)
	if n := r.g.Stats().Messages.Load(); n == messages {
		t.Errorf("%d messages were taken while no ack was read, with a window of %d", n, window)
	}
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	conn.ackSet(messages)
	conn.bye()
	conn.expect(fg1.Bye, 0, 0)
	conn.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestPeerThatTakesNoAcksIsNotIdle: a connection to a server that neither reads acks nor sends
// anything outlasts --idle-timeout, because its TCP answers window probes.
func TestPeerThatTakesNoAcksIsNotIdle(t *testing.T) {
	const window, messages = 1000, 5000
	feed := newTestFeed(t)
	feed.shrink()
	cfg := testConfig(t, feed.url(), accept)
	cfg.InFlight, cfg.Heartbeat, cfg.IdleTimeout = window, time.Hour, 500*time.Millisecond
	r := start(t, cfg)
	conn := feed.login(1, `{"session":"s"}`)
	conn.sendMany(1, messages)
	waitSendBlocked(t, r.g.Stats(), window)
	time.Sleep(6 * cfg.IdleTimeout) // the connection must survive this
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	conn.ackSet(messages)
	conn.bye()
	conn.expect(fg1.Bye, 0, 0)
	conn.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestServerClosesOverUnsentAcks: if the end of the stream is the close, all messages are handled,
// although their acks cannot be sent.
func TestServerClosesOverUnsentAcks(t *testing.T) {
	const window, messages = 1000, 5000
	ln := testkit.Listen(t)
	shrink(t, ln)
	cfg := testConfig(t, "tcp://"+ln.Addr().String(), accept)
	cfg.InFlight = window
	setFlag(&cfg, "frame", "line")
	setFlag(&cfg, "ack-template", `A{n:u64be}{n:u64be}`)
	r := start(t, cfg)
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if _, err := c.Write([]byte(strings.Repeat("0123456789\n", messages))); err != nil {
		t.Fatal(err)
	}
	waitSendBlocked(t, r.g.Stats(), window)
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.Close() // with acks unread: a reset
	if err := r.wait(); !errors.Is(err, ErrUnfinished) {
		t.Errorf("error %v, want ErrUnfinished", err)
	}
	if got := r.g.Stats().Messages.Load(); got != messages {
		t.Errorf("%d of %d messages handled", got, messages)
	}
}
