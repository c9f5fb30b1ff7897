package feedserver

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
)

// TestRatePace: messages that fall due between two multiples of pace are sent as one batch.
func TestRatePace(t *testing.T) {
	cfg, err := Config{Rate: 1e6, Window: 500}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{cfg: &cfg} // its timer is set to time 0 already
	s := newSession("", 1, 0, &cfg)
	c := &conn{l: l, ses: s, next: s.attach(nil, 0)}
	send := func(at time.Duration, want uint64) {
		t.Helper()
		l.now = at
		n := c.sendable()
		if n != want {
			t.Errorf("at %v %d messages may be sent, want %d", at, n, want)
		}
		c.next += n
		s.led.markSent(c.next)
	}
	send(pace, 101)
	send(pace+10*time.Microsecond, 0)
	if c.nextPump != 2*pace {
		t.Errorf("pump is due at %v", c.nextPump)
	}
	// A late batch does not delay the next one.
	send(2*pace+60*time.Microsecond, 160)
	send(3*pace-1, 0)
	send(3*pace, 40)
	// The window shortens a batch. Once it opens, the rest is sent at once.
	send(10*pace, 199)
	s.ack(1, 300, 0, 1)
	s.endRead(1)
	send(10*pace+10*time.Microsecond, 300)
	// Messages further apart than pace are sent when they are due.
	s.lat.period = float64(pace) * 2.5
	s.last = c.next + 10
	s.lat.epoch = 20*pace - time.Duration(float64(c.next-1)*s.lat.period)
	s.ack(1, c.next-1, 0, 1)
	s.endRead(1)
	send(20*pace, 1)
	send(21*pace, 0)
	if c.nextPump != 22*pace+pace/2 {
		t.Errorf("pump is due at %v", c.nextPump)
	}
	send(22*pace+pace/2, 1)
}

// TestReplyFlood: a client that does not read its replies is disconnected.
func TestReplyFlood(t *testing.T) {
	s := start(t, Config{Count: 10, SessionTimeout: 50 * time.Millisecond})
	c := login(t, s, "", 0)
	pings := bytes.Repeat(fg1.AppendFrame(nil, fg1.Ping, 0, 0, 1, nil), 4096)
	for {
		if _, err := c.nc.Write(pings); err != nil {
			break
		}
	}
	expect(t, wait(t, s).Total, Counts{Sent: 10, Missing: 10, Connections: 1})
}

// TestReplayRecorded: with line, a recorded feed is sent unchanged, except for a line end at its end.
// If the file is missing, made-up lines replace it.
func TestReplayRecorded(t *testing.T) {
	const path = "../../../../shared/data/nmea-plaka.log"
	want, err := os.ReadFile(path)
	replay := path
	if err != nil {
		t.Logf("the recorded feed is missing (%v); replaying made-up lines", err)
		for n := range 100_000 {
			want = fmt.Appendf(want, "$IIVHW,,T,,M,%d,N,11.31,K*51\r\n", n)
		}
		want = append(want, "$GPZDA,09"...)
		replay = writeFile(t, string(want))
	}
	s := start(t, Config{Protocol: "line", Replay: replay})
	nc := dial(t, s)
	got, err := io.ReadAll(nc)
	if err != nil || !bytes.Equal(got, append(want, '\n')) {
		t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want)+1)
	}
	count := uint64(bytes.Count(got, []byte("\n")))
	var acks []byte
	for n := range count {
		acks = fmt.Appendf(acks, "A%d\n", n+1)
	}
	if _, err := nc.Write(acks); err != nil {
		t.Fatal(err)
	}
	_ = nc.Close()
	expect(t, wait(t, s).Total, Counts{Sent: count, Acknowledged: count, Connections: 1})
}

// TestNothingAfterBye: nothing follows the end frame for a fault. An unsent batch is dropped, a
// partly sent one is completed first.
func TestNothingAfterBye(t *testing.T) {
	for off, want := range []string{"", "batch"} {
		l := &loop{log: slog.New(slog.DiscardHandler)} // its timer is set to time 0 already
		c := &conn{l: l, ses: newSession("", 1, 0, &Config{}), codec: &wsCodec{welcomed: true}, off: off, resetAt: 3}
		c.ses.client = "test"
		c.batch.buf = []byte("batch")
		c.fail(faultf(closeTooBig, "a fault"))
		if got := string(c.batch.buf); got != want || string(c.replies) != "\x88\x02\x03\xf1" || c.state != stateClosing {
			t.Errorf("with %d bytes sent, the batch is %q and the replies are % x", off, got, c.replies)
		}
	}
}
