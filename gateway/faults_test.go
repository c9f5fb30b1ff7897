package gateway

import (
	"bufio"
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

func (c *counter) seen(seq uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.times[seq] > 0
}

// waitHandled waits until number seq is with a handler.
func (c *counter) waitHandled(t *testing.T, seq uint64) {
	t.Helper()
	waitFor(t, func() bool { return c.seen(seq) })
}

// TestCloseBehindFault: a protocol error counts even if a BYE was received behind it.
func TestCloseBehindFault(t *testing.T) {
	feed := newTestFeed(t)
	ct := newCounter()
	r := start(t, testConfig(t, feed.url(), ct.handle))
	c := feed.login(1, `{"session":"s"}`)
	waitFor(t, func() bool { return r.g.Stats().Connected.Load() })
	var b []byte
	for _, seq := range []uint64{1, 2, 1, 3} {
		b = fg1.AppendFrame(b, fg1.Data, 0, 0, seq, nil)
	}
	c.send(fg1.AppendFrame(b, fg1.Bye, 0, 0, 0, nil))
	c.ackSet(2)
	c.expect(fg1.Bye, fg1.CodeProtocolError, 0)
	c.Close()
	c = feed.login(3, `{"session":"s"}`)
	c.data(3, "x")
	c.ackSet(1)
	c.bye()
	c.expect(fg1.Bye, 0, 0)
	c.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	ct.wantOnce(t, 3)
}

// TestAcksPassDeadSessions: messages of an earlier session that are still with workers do not
// delay the acks of the next one.
func TestAcksPassDeadSessions(t *testing.T) {
	for _, c := range []struct {
		mode string
		op   fg1.Op
	}{{"range", fg1.AckTo}, {"ordered", fg1.Ack}} {
		t.Run(c.mode, func(t *testing.T) {
			feed := newTestFeed(t)
			ct := newCounter(1, 2)
			cfg := testConfig(t, feed.url(), ct.handle)
			cfg.Ack, cfg.Workers, cfg.AckInterval = c.mode, 3, time.Millisecond
			r := start(t, cfg)
			conn := feed.login(1, `{"acks":["each","range"]}`)
			conn.data(1, "x")
			ct.waitHandled(t, 1)
			conn.data(2, "x")
			ct.waitHandled(t, 2)
			conn.SetLinger(0)
			conn.Close()
			conn = feed.login(11, `{"acks":["each","range"]}`)
			conn.data(11, "x")
			conn.expect(c.op, 0, 11)
			close(ct.hold[2])
			close(ct.hold[1])
			conn.data(12, "x")
			conn.expect(c.op, 0, 12)
			conn.bye()
			conn.expect(fg1.Bye, 0, 0)
			conn.Close()
			if err := r.wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFinishedOffline: messages that are finished between two connections leave the window.
func TestFinishedOffline(t *testing.T) {
	ln := testkit.Listen(t)
	gate := make(chan struct{})
	cfg := testConfig(t, "tcp://"+ln.Addr().String(), func(m worker.Message) worker.Code {
		if string(m.Data) == "held" {
			<-gate
		}
		return worker.OK
	})
	cfg.Ack, cfg.InFlight = "ordered", 2
	setFlag(&cfg, "frame", "line")
	setFlag(&cfg, "ack-template", `A{n}\n`)
	r := start(t, cfg)
	accept := func() *net.TCPConn {
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c.(*net.TCPConn)
	}
	c := accept()
	if _, err := c.Write([]byte("held\nheld\n")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 2 })
	c.SetLinger(0)
	c.Close()
	waitFor(t, func() bool { return r.g.Stats().Reconnects.Load() > 0 })
	close(gate)
	c = accept()
	defer c.Close()
	if _, err := c.Write([]byte("a\n")); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "A1\n" {
		t.Errorf("ack %q, %v", line, err)
	}
	c.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestJumpIntoFullWindow: numbers that the server does not redeliver make room in a full window.
func TestJumpIntoFullWindow(t *testing.T) {
	feed := newTestFeed(t)
	ct := newCounter(1, 2)
	cfg := testConfig(t, feed.url(), ct.handle)
	cfg.InFlight = 2
	r := start(t, cfg)
	c := feed.login(1, `{"session":"s"}`)
	c.data(1, "x")
	c.data(2, "x")
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 2 })
	c.SetLinger(0)
	c.Close()
	waitFor(t, func() bool { return r.g.Stats().Reconnects.Load() > 0 })
	close(ct.hold[1])
	close(ct.hold[2])
	c = feed.login(1, `{"session":"s"}`)
	c.data(3, "x")
	c.expect(fg1.Ack, 0, 3)
	c.bye()
	c.expect(fg1.Bye, 0, 0)
	c.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestAckToOfThisConnectionOnly: an ACKTO never names a number that was not redelivered on this
// connection.
func TestAckToOfThisConnectionOnly(t *testing.T) {
	feed := newTestFeed(t)
	cfg := testConfig(t, feed.url(), accept)
	cfg.Ack, cfg.AckInterval = "range", time.Millisecond
	r := start(t, cfg)
	const welcome = `{"session":"s","acks":["range"]}`
	c := feed.login(1, welcome)
	var b []byte
	for seq := uint64(1); seq <= 5; seq++ {
		b = fg1.AppendFrame(b, fg1.Data, 0, 0, seq, nil)
	}
	c.send(b)
	for h := (fg1.Header{}); h.Seq != 5; {
		h, _ = c.frame()
	}
	c.SetLinger(0)
	c.Close()
	c = feed.login(1, welcome)
	c.data(1, "x")
	c.expect(fg1.AckTo, 0, 1)
	c.bye()
	c.expect(fg1.Bye, 0, 0)
	c.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestAckToSparesLateMessages: no ACKTO covers a late message that is not done.
func TestAckToSparesLateMessages(t *testing.T) {
	feed := newTestFeed(t)
	ct := newCounter(3, 4)
	cfg := testConfig(t, feed.url(), ct.handle)
	cfg.Ack, cfg.AckInterval, cfg.Workers = "range", time.Millisecond, 4
	r := start(t, cfg)
	c := feed.login(1, `{"session":"s","acks":["range"]}`)
	for _, seq := range []uint64{1, 2} {
		c.data(seq, "x")
		c.expect(fg1.AckTo, 0, seq)
	}
	c.data(4, "x")
	ct.waitHandled(t, 4)
	c.data(3, "late")
	ct.waitHandled(t, 3)
	close(ct.hold[4])
	c.expect(fg1.Ack, 0, 4)
	close(ct.hold[3])
	c.expect(fg1.Ack, 0, 3)
	c.data(5, "x")
	c.expect(fg1.AckTo, 0, 5)
	c.bye()
	c.expect(fg1.Bye, 0, 0)
	c.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestAckNoneLeavesNothingUnsent: with --ack none, a lost connection leaves no ack unsent.
func TestAckNoneLeavesNothingUnsent(t *testing.T) {
	feed := newTestFeed(t)
	ct := newCounter(1)
	cfg := testConfig(t, feed.url(), ct.handle)
	cfg.Ack = "none"
	r := start(t, cfg)
	c := feed.login(1, `{"session":"s"}`)
	c.data(1, "x")
	ct.waitHandled(t, 1)
	feed.ln.Close()
	c.SetLinger(0)
	c.Close()
	waitFor(t, func() bool { return r.g.Stats().Reconnects.Load() > 0 })
	r.cancel()
	close(ct.hold[1])
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

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
