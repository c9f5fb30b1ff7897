package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
)

// TestDrain: messages that were read are finished and acked, BYE 6 is sent, and Run returns nil.
func TestDrain(t *testing.T) {
	feed := newTestFeed(t)
	c := newCounter(2)
	r := start(t, testConfig(t, feed.url(), c.handle))
	conn := feed.login(1, `{"session":"s"}`)
	conn.data(1, "a")
	conn.ackSet(1)
	conn.data(2, "held")
	c.waitHandled(t, 2)
	r.cancel()
	close(c.hold[2])
	conn.expect(fg1.Ack, 0, 2)
	conn.expect(fg1.Bye, fg1.CodeShuttingDown, 0)
	conn.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestDrainTimeout: if a handler hangs, Run returns ErrUnfinished.
func TestDrainTimeout(t *testing.T) {
	feed := newTestFeed(t)
	c := newCounter(1)
	cfg := testConfig(t, feed.url(), c.handle)
	cfg.DrainTimeout = 10 * time.Millisecond
	r := start(t, cfg)
	conn := feed.login(1, `{"session":"s"}`)
	conn.data(1, "held")
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 1 })
	r.cancel()
	// The drain ends before the handler returns.
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, _, err := conn.next(); err == nil {
		t.Error("a frame though nothing was finished")
	}
	close(c.hold[1])
	if err := r.wait(); !errors.Is(err, ErrUnfinished) {
		t.Errorf("error %v, want ErrUnfinished", err)
	}
}

// TestDrainResumes: if the connection is lost during a drain, the gateway reconnects to send the
// acks of finished messages. It leaves new messages to the server.
func TestDrainResumes(t *testing.T) {
	for _, mode := range []string{"each", "ordered", "range"} {
		t.Run(mode, func(t *testing.T) {
			feed := newTestFeed(t)
			c := newCounter(2)
			cfg := testConfig(t, feed.url(), c.handle)
			cfg.Ack = mode
			cfg.AckInterval = time.Millisecond
			r := start(t, cfg)
			welcome := `{"session":"s","acks":["each","range"]}`
			first := feed.login(1, welcome)
			first.data(1, "a")
			first.frame() // its ack, of any kind
			first.data(2, "held")
			c.waitHandled(t, 2)
			r.cancel()
			first.SetLinger(0)
			first.Close()

			second := feed.login(2, welcome)
			if second.hello.Session != "s" || second.seq != 1 {
				t.Errorf("HELLO in the drain: %+v seq %d, want s 1", second.hello, second.seq)
			}
			second.data(2, "again")
			second.data(3, "new")
			close(c.hold[2])
			second.expect(map[bool]fg1.Op{true: fg1.AckTo, false: fg1.Ack}[mode == "range"], 0, 2)
			second.expect(fg1.Bye, fg1.CodeShuttingDown, 0)
			second.Close()
			if err := r.wait(); err != nil {
				t.Fatal(err)
			}
			c.wantOnce(t, 2)
			if c.times[3] > 0 {
				t.Error("a new message was taken in a drain")
			}
		})
	}
}

// TestDrainLosesSession: if the server has forgotten the session, its acks count as not sent.
func TestDrainLosesSession(t *testing.T) {
	feed := newTestFeed(t)
	c := newCounter(1)
	r := start(t, testConfig(t, feed.url(), c.handle))
	first := feed.login(1, `{"session":"s"}`)
	first.data(1, "held")
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 1 })
	r.cancel()
	first.SetLinger(0)
	first.Close()
	second := feed.login(1, `{"session":"other"}`)
	close(c.hold[1])
	second.expect(fg1.Bye, fg1.CodeShuttingDown, 0)
	second.Close()
	if err := r.wait(); !errors.Is(err, ErrUnfinished) {
		t.Errorf("error %v, want ErrUnfinished", err)
	}
}

// TestFaultInDrain: after a protocol error during a drain, messages with workers are finished
// within the drain timeout, later ones are dropped, and BYE has the code of the error.
func TestFaultInDrain(t *testing.T) {
	feed := newTestFeed(t)
	c := newCounter(1)
	cfg := testConfig(t, feed.url(), c.handle)
	cfg.InFlight = 1
	r := start(t, cfg)
	conn := feed.login(1, `{"session":"s"}`)
	conn.send(fg1.AppendFrame(fg1.AppendFrame(fg1.AppendFrame(nil,
		fg1.Data, 0, 0, 1, []byte("held")), fg1.Data, 0, 0, 2, nil), fg1.Hello, 0, 0, 0, nil))
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 1 })
	r.cancel()
	waitFor(t, func() bool { return r.g.Stats().Dropped.Load() == 1 })
	close(c.hold[1])
	conn.expect(fg1.Ack, 0, 1)
	conn.expect(fg1.Bye, fg1.CodeProtocolError, 0)
	conn.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestDrainDeclinesLate: a late message that arrives after a drain has resumed the session is left
// to the server, and no cumulative ack covers it.
func TestDrainDeclinesLate(t *testing.T) {
	feed := newTestFeed(t)
	c := newCounter(3)
	cfg := testConfig(t, feed.url(), c.handle)
	cfg.Ack = "range"
	cfg.AckInterval = time.Millisecond
	r := start(t, cfg)
	welcome := `{"session":"s","acks":["range"]}`
	first := feed.login(1, welcome)
	first.data(1, "a")
	first.expect(fg1.AckTo, 0, 1)
	first.data(3, "held; 2 is missing")
	c.waitHandled(t, 3)
	r.cancel()
	first.SetLinger(0)
	first.Close()
	second := feed.login(2, welcome)
	second.data(2, "late")
	second.data(3, "again")
	waitFor(t, func() bool { return r.g.Stats().Duplicates.Load() == 1 })
	close(c.hold[3])
	second.expect(fg1.Ack, 0, 3)
	second.expect(fg1.Bye, fg1.CodeShuttingDown, 0)
	second.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if c.times[2] > 0 {
		t.Error("a message was taken in a drain")
	}
}

// TestDrainAfterJump: numbers that the server does not redeliver count as acked, even if the next
// message is new.
func TestDrainAfterJump(t *testing.T) {
	feed := newTestFeed(t)
	c := newCounter(1)
	r := start(t, testConfig(t, feed.url(), c.handle))
	first := feed.login(1, `{"session":"s"}`)
	for seq := uint64(1); seq <= 3; seq++ {
		first.data(seq, "x")
	}
	c.waitHandled(t, 1)
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 3 })
	r.cancel()
	first.SetLinger(0)
	first.Close()
	second := feed.login(1, `{"session":"s"}`)
	second.data(1, "again")
	second.data(4, "new; 2 and 3 are known to be done")
	close(c.hold[1])
	second.expect(fg1.Ack, 0, 1)
	second.expect(fg1.Bye, fg1.CodeShuttingDown, 0)
	second.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestDrainTimeoutOverUnsentAcks: acks that the kernel has not transmitted by the end of a drain
// count as not sent.
func TestDrainTimeoutOverUnsentAcks(t *testing.T) {
	feed := newTestFeed(t)
	feed.shrink()
	cfg := testConfig(t, feed.url(), accept)
	cfg.InFlight, cfg.DrainTimeout = 1000, 50*time.Millisecond
	r := start(t, cfg)
	conn := feed.login(1, `{"session":"s"}`)
	conn.sendMany(1, 5000)
	waitSendBlocked(t, r.g.Stats(), 1000)
	r.cancel()
	if err := r.wait(); !errors.Is(err, ErrUnfinished) || strings.Contains(err.Error(), " 0 acknowledgements") {
		t.Errorf("error %v, want ErrUnfinished and how many acknowledgements", err)
	}
}

// TestDrainInLogin: an unsent ACKTO of the previous connection does not hold up a drain during the
// next login: a session without a name cannot be resumed.
func TestDrainInLogin(t *testing.T) {
	feed := newTestFeed(t)
	c := newCounter()
	cfg := testConfig(t, feed.url(), c.handle)
	cfg.Ack, cfg.AckInterval, cfg.DrainTimeout = "range", time.Hour, time.Hour
	r := start(t, cfg)
	conn := feed.login(1, `{"acks":["range"]}`)
	conn.data(1, "a")
	waitFor(t, func() bool { return r.g.Stats().Messages.Load() == 1 && r.g.Stats().InFlight.Load() == 1 })
	c.waitHandled(t, 1)
	conn.Close()
	conn = feed.accept()
	conn.frame() // HELLO
	r.cancel()
	conn.expect(fg1.Bye, fg1.CodeShuttingDown, 0)
	conn.Close()
	if err := r.wait(); !errors.Is(err, ErrUnfinished) {
		t.Errorf("error %v, want ErrUnfinished", err)
	}
}
