package gateway

import (
	"bufio"
	"net"
	"testing"
	"time"

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

// TestJumpIntoFullWindow: numbers that the server does not redeliver free slots in a full window.
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
