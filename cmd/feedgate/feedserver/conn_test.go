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

// What falls due between two points of the grid waits for the next one, so that a
// high rate makes batches and not a write a message.
func TestRatePace(t *testing.T) {
	cfg, err := Config{Rate: 1e6, Window: 500}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{cfg: &cfg} // its timer is set for an earlier time already
	s := newSession("", 1, 0, &cfg)
	c := &conn{l: l, ses: s, next: s.attach(nil, 0)}
	send := func(at time.Duration, want uint64) {
		t.Helper()
		l.now = at
		n := c.sendable()
		if n != want {
			t.Errorf("at %v there is room for %d, want %d", at, n, want)
		}
		c.next += n
		s.led.markSent(c.next)
	}
	send(pace, 101)
	send(pace+10*time.Microsecond, 0)
	if c.nextPump != 2*pace {
		t.Errorf("goes on at %v", c.nextPump)
	}
	// A batch that was late does not put the next one off.
	send(2*pace+60*time.Microsecond, 160)
	send(3*pace-1, 0)
	send(3*pace, 40)
	// The window cuts a batch short; when it opens, nothing is waited for.
	send(10*pace, 199)
	s.ack(1, 300, 0, 1)
	s.endRead(1)
	send(10*pace+10*time.Microsecond, 300)
	// What falls due later than the grid's next point goes out when it is due.
	s.lat.period = float64(pace) * 2.5
	s.last = c.next + 10
	s.lat.epoch = 20*pace - time.Duration(float64(c.next-1)*s.lat.period)
	s.ack(1, c.next-1, 0, 1)
	s.endRead(1)
	send(20*pace, 1)
	send(21*pace, 0)
	if c.nextPump != 22*pace+pace/2 {
		t.Errorf("goes on at %v", c.nextPump)
	}
	send(22*pace+pace/2, 1)
}

// A client that asks and does not read is dropped, before what it is owed grows.
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

// The recorded feed, where it is there, goes out as it is.
func TestReplayRecorded(t *testing.T) {
	const path = "../../../../shared/data/nmea-plaka.log"
	want, err := os.ReadFile(path)
	replay := path
	if err != nil {
		t.Logf("THE RECORDED FEED IS NOT THERE (%v); replaying made-up lines", err)
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

// A goodbye for a client's fault is the last thing it gets: a batch that was not
// begun is dropped, one that was is finished.
func TestNothingAfterGoodbye(t *testing.T) {
	for off, want := range []string{"", "batch"} {
		l := &loop{log: slog.New(slog.DiscardHandler)} // its timer is set for an earlier time already
		c := &conn{l: l, ses: newSession("", 1, 0, &Config{}), codec: &wsCodec{welcomed: true}, off: off, resetAt: 3}
		c.ses.client = "test"
		c.batch.buf = []byte("batch")
		c.fail(faultf(closeTooBig, "a fault"))
		if got := string(c.batch.buf); got != want || string(c.replies) != "\x88\x02\x03\xf1" || c.state != stateClosing {
			t.Errorf("with %d bytes sent, %q and % x are left", off, got, c.replies)
		}
	}
}
