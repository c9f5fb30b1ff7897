package feedserver

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker/testkit"
)

// lasted checks that a session that ended by Duration is complete: every message is sent and
// acknowledged. It returns the number of messages.
func lasted(t *testing.T, r Report, connections int) uint64 {
	t.Helper()
	n := r.Total.Sent
	expect(t, r.Total, Counts{Sent: n, Acknowledged: n, Resent: r.Total.Resent, Connections: connections})
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	return n
}

// TestDuration: Duration ends sessions that are endless or have a high count, with and without a
// rate, by BYE with code 0.
func TestDuration(t *testing.T) {
	for name, cfg := range map[string]Config{
		"flat out": {},
		"endless":  {Count: Endless, Window: 100},
		"count":    {Count: 1 << 40},
		"rate":     {Rate: 20_000},
		"parts":    {Size: 100_000, Parts: 3},
		"split":    {Rate: 5_000, Chaos: Chaos{SplitMin: 1, SplitMax: 9}},
		"slow":     {Rate: 1e-3}, // the second message would be due long after
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Duration = 50 * time.Millisecond
			s := start(t, cfg)
			c := login(t, s, "", 0)
			if code, err := c.ackAll(); err != nil || code != fg1.CodeOK {
				t.Errorf("BYE with code %d, %v", code, err)
			}
			c.eof()
			if n := lasted(t, wait(t, s), 1); n == 0 || cfg.Rate == 1e-3 && n > 1 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// TestDurationAfterCount: the count ends a session that reaches it before Duration is over.
func TestDurationAfterCount(t *testing.T) {
	s := start(t, Config{Count: 7, Duration: time.Hour})
	c := login(t, s, "", 0)
	c.data(1, 7)
	c.ack(1, 7)
	c.end(fg1.CodeOK)
	expect(t, wait(t, s).Total, Counts{Sent: 7, Acknowledged: 7, Connections: 1})
}

// TestDurationWithoutBye: without an end frame, the stream ends after the last whole message, even
// if the window is full. Acks still count.
func TestDurationWithoutBye(t *testing.T) {
	for _, protocol := range []string{"line", "length"} {
		s := start(t, Config{Protocol: protocol, Window: 10, Size: 3, Duration: 50 * time.Millisecond})
		nc := dial(t, s)
		got, err := io.ReadAll(nc)
		if err != nil {
			t.Fatal(err)
		}
		var want, acks []byte
		for n := uint64(1); n <= 10; n++ {
			want = protocols[protocol](&s.cfg).appendMessage(want, int(n-1), s.payload(n), []byte("\n"))
			acks = append(acks, ackOf[protocol](n)...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", protocol, got, want)
		}
		if _, err := nc.Write(acks); err != nil {
			t.Fatal(err)
		}
		_ = nc.Close()
		if n := lasted(t, wait(t, s), 1); n != 10 {
			t.Errorf("%s: %d messages", protocol, n)
		}
	}
}

// TestDurationInTheMiddle: a message that is partly sent at the end of Duration is completed.
func TestDurationInTheMiddle(t *testing.T) {
	const size = 3 << 20
	s := start(t, Config{Protocol: "line", Size: size, Duration: 50 * time.Millisecond})
	nc := dial(t, s)
	lines := bufio.NewReaderSize(nc, size+1)
	n := uint64(0)
	for {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		if err != nil {
			t.Fatalf("%d bytes after message %d, %v", len(line), n, err)
		}
		n++
		if !bytes.Equal(line[:size], s.payload(n)) {
			t.Fatalf("message %d has another payload", n)
		}
		fmt.Fprintf(nc, "A%d\n", n)
	}
	_ = nc.Close()
	if got := lasted(t, wait(t, s), 1); got != n || n == 0 {
		t.Errorf("%d messages sent, %d received", got, n)
	}
}

// TestDurationResume: a client that reconnects after the end of Duration gets its unacknowledged
// messages only.
func TestDurationResume(t *testing.T) {
	s := start(t, Config{Count: 1000, Window: 10, Duration: 50 * time.Millisecond})
	c := login(t, s, "", 0)
	c.data(1, 10)
	c.cut()
	// The count is lowered while the client is away.
	testkit.Eventually(t, "the lower count", func() bool { return s.Report().Total.Unsent == 0 })
	expect(t, s.Report().Total, Counts{Sent: 10, Missing: 10, Connections: 1})
	c = login(t, s, c.session, 3)
	c.data(4, 10)
	c.ack(4, 9)
	c.sync()
	c.ack(10, 10)
	c.end(fg1.CodeOK)
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 10, Acknowledged: 10, Resent: 7, Connections: 2})
	lasted(t, r, 2)
}

// TestDurationResumeLine is TestDurationResume for a protocol without session names.
func TestDurationResumeLine(t *testing.T) {
	s := start(t, Config{Protocol: "line", Count: 1000, Window: 4, Size: 1, Duration: 50 * time.Millisecond})
	nc := dial(t, s)
	if _, err := io.CopyN(io.Discard, nc, 4*2); err != nil {
		t.Fatal(err)
	}
	_ = nc.(interface{ SetLinger(int) error }).SetLinger(0)
	_ = nc.Close()
	testkit.Eventually(t, "the lower count", func() bool { return s.Report().Total.Unsent == 0 })
	nc = dial(t, s)
	got, err := io.ReadAll(nc)
	if err != nil || len(got) != 4*2 {
		t.Errorf("got %q, %v", got, err)
	}
	fmt.Fprint(nc, "A1\nA2\nA3\nA4\n")
	_ = nc.Close()
	if n := lasted(t, wait(t, s), 2); n != 4 {
		t.Errorf("%d messages", n)
	}
}

// TestDurationAway: if Duration ends while a client is away that has acknowledged everything, it
// gets BYE when it reconnects. If it stays away, that is no error.
func TestDurationAway(t *testing.T) {
	for _, back := range []bool{true, false} {
		cfg := Config{Count: 1000, Rate: 1e-3, Duration: 50 * time.Millisecond}
		if !back {
			cfg.SessionTimeout = 100 * time.Millisecond
		}
		s := start(t, cfg)
		c := login(t, s, "", 0)
		c.data(1, 1)
		c.ack(1, 1)
		c.cut()
		testkit.Eventually(t, "the lower count", func() bool { return s.Report().Total.Unsent == 0 })
		connections := 1
		if back {
			c = login(t, s, c.session, 1)
			c.end(fg1.CodeOK)
			connections++
		}
		if n := lasted(t, wait(t, s), connections); n != 1 {
			t.Errorf("%d messages", n)
		}
	}
}

// TestDurationNothingSent: a session that ends before a message is sent is complete.
func TestDurationNothingSent(t *testing.T) {
	for _, protocol := range []string{"fg", "line"} {
		s := start(t, Config{Protocol: protocol, Duration: 50 * time.Millisecond, Chaos: Chaos{Stall: time.Hour, StallP: 1}})
		if protocol == "fg" {
			login(t, s, "", 0).end(fg1.CodeOK)
		} else {
			nc := dial(t, s)
			if got, err := io.ReadAll(nc); err != nil || len(got) > 0 {
				t.Errorf("got %q, %v", got, err)
			}
			_ = nc.Close()
		}
		r := wait(t, s)
		if n := lasted(t, r, 1); n != 0 {
			t.Errorf("%d messages", n)
		}
		if _, ok := r.LatencyAt(50); ok {
			t.Error("latency without an ack")
		}
	}
}

// TestDurationChaos: Duration ends a session also under Chaos.
func TestDurationChaos(t *testing.T) {
	chaos, err := ParseChaos("reset=0.05,split=1-70,stall=20ms@0.05,half-open=0.02")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Size: 20, Rate: 20_000, Chaos: chaos, Seed: 6, Duration: 300 * time.Millisecond})
	stubborn(t, s, 100*time.Millisecond)
	r := wait(t, s)
	if n := lasted(t, r, r.Total.Connections); n == 0 {
		t.Error("nothing was sent")
	}
}

// TestSessionExpire: Duration counts from the first connection. At its end, the last message is the
// last rendered one, and after the connection is lost, the last one sent completely.
func TestSessionExpire(t *testing.T) {
	s := newSession("", 1, 1000, &Config{Duration: 10, Rate: 1})
	if s.expire(1 << 40) {
		t.Error("the session expires before its first connection")
	}
	c := &conn{ses: s}
	c.next = s.attach(c, 5)
	c.next = 101
	s.markSent(51, 6)
	s.ack(1, 20, 0, 7)
	if s.expire(14) || s.last != 1000 {
		t.Errorf("the session ends at %d before Duration is over", s.last)
	}
	if !s.expire(15) || s.last != 100 {
		t.Errorf("the last message is %d, not the last rendered one", s.last)
	}
	if s.expire(16) || s.last != 100 {
		t.Errorf("the session ends twice, at %d", s.last)
	}
	s.markSent(61, 17)
	s.detach(18)
	if s.last != 60 {
		t.Errorf("the last message is %d, not the last one sent", s.last)
	}
	c.next = s.attach(c, 19)
	if s.expire(20) || c.next != 21 || s.last != 60 {
		t.Errorf("the next connection starts at %d, and the last message is %d", c.next, s.last)
	}
	s.markSent(61, 21)
	s.ack(21, 40, 0, 22)
	if !s.complete() {
		t.Errorf("%d of %d acknowledged", s.acknowledged, s.last)
	}
}
