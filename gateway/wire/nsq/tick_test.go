package nsq

import (
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

const ms = time.Millisecond

// until calls Tick whenever it is due, up to a time, and returns the commands sent and when.
func until(c *conn, from, to time.Duration) (commands []string, at []time.Duration) {
	for now := from; now <= to; {
		out, next := c.Tick(nil, now)
		if len(out) > 0 {
			commands, at = append(commands, string(out)), append(at, now)
		}
		now = next
	}
	return commands, at
}

func TestNoTickInLogin(t *testing.T) {
	c := mustNew(t, testConfig()).NewConn()
	c.AppendHello(nil, wire.Hello{})
	if out, next := c.Tick(nil, time.Hour); len(out) != 0 || next != 0 {
		t.Errorf("%q, next %v", out, next)
	}
}

func TestPeriod(t *testing.T) {
	for _, c := range []struct{ timeout, heartbeat, want time.Duration }{
		{time.Minute, 30 * time.Second, time.Second},
		{time.Hour, time.Minute, time.Second},
		{10 * time.Second, 30 * time.Second, 500 * ms},
		{time.Minute, time.Second, 250 * ms},
		{time.Millisecond, time.Minute, 20 * ms},
	} {
		conn := &conn{server: server{timeout: c.timeout, heartbeat: c.heartbeat}}
		if got := conn.period(); got != c.want {
			t.Errorf("msg_timeout %v, heartbeat %v: %v, want %v", c.timeout, c.heartbeat, got, c.want)
		}
	}
}

// TestEarlyTick checks that a call before the returned time does nothing.
func TestEarlyTick(t *testing.T) {
	count := 100
	cfg := testConfig()
	cfg.Ready = func() int { return count }
	c, d := opened(t, cfg, identifiedJSON)
	_, next := c.Tick(nil, time.Second)
	feed(t, d, 1, 1)
	count = 50
	for now := time.Second; now < next; now += 100 * ms {
		if out, again := c.Tick(nil, now); len(out) != 0 || again != next {
			t.Fatalf("%q, next %v", out, again)
		}
	}
	if out, _ := c.Tick(nil, next); string(out) != "RDY 50\n" {
		t.Errorf("%q", out)
	}
	if len(c.flight.groups) != 1 || c.flight.groups[0].arrived != time.Second {
		t.Errorf("%+v", c.flight.groups)
	}
}

// TestTouch: messages are touched until max_msg_timeout.
func TestTouch(t *testing.T) {
	cfg := testConfig()
	cfg.Heartbeat = time.Hour
	c, d := opened(t, cfg, `{"msg_timeout":4000,"max_msg_timeout":10000}`)
	c.Tick(nil, 0)
	feed(t, d, 1, 3)
	c.AppendAcks(nil, 2, 1, worker.OK)
	touch := func(ids ...int) (s string) {
		for _, n := range ids {
			s += "TOUCH " + idOf(n) + "\n"
		}
		return s
	}
	commands, at := until(c, 200*ms, 3*time.Second)
	if len(commands) != 1 || commands[0] != touch(1, 3) || at[0] != 2*time.Second {
		t.Errorf("%q at %v", commands, at)
	}
	feed(t, d, 4, 4)
	c.AppendAcks(nil, 1, 1, worker.Refused)
	commands, at = until(c, 3200*ms, time.Minute)
	// 4 arrived after the Tick at 3 s, and 3 after the one at 0.
	want := []string{touch(3), touch(4), touch(3), touch(4), touch(3), touch(4), touch(4)}
	times := []time.Duration{4 * time.Second, 5 * time.Second, 6 * time.Second, 7 * time.Second, 8 * time.Second, 9 * time.Second, 11 * time.Second}
	if !slices.Equal(commands, want) {
		t.Fatalf("%q at %v", commands, at)
	}
	for i := range times {
		if at[i] != times[i] {
			t.Errorf("TOUCH %d at %v, want %v", i, at[i], times[i])
		}
	}
	if len(c.flight.groups) != 0 {
		t.Errorf("%d groups are left", len(c.flight.groups))
	}
}

// TestTouchOverTheRing has one slow message while the ring wraps around.
func TestTouchOverTheRing(t *testing.T) {
	cfg := testConfig()
	cfg.Heartbeat = time.Hour
	c, d := opened(t, cfg, identifiedJSON)
	c.Tick(nil, 0)
	feed(t, d, 1, 100)
	c.AppendAcks(nil, 1, 100, worker.OK)
	feed(t, d, 101, 200)
	c.AppendAcks(nil, 101, 99, worker.OK)
	feed(t, d, 201, 228)
	c.AppendAcks(nil, 201, 28, worker.OK)
	commands, _ := until(c, time.Second, 31*time.Second)
	if want := "TOUCH " + idOf(200) + "\n"; len(commands) != 1 || commands[0] != want {
		t.Errorf("%q", commands)
	}
}

// TestReady: RDY is sent whenever the count changes, and not after CLS.
func TestReady(t *testing.T) {
	count := 0
	cfg := testConfig()
	cfg.Heartbeat = time.Hour
	cfg.Ready = func() int { return count }
	c, d := opened(t, cfg, `{"max_rdy_count":20}`)
	if c.ready != 1 {
		t.Errorf("RDY %d at login", c.ready)
	}
	now := time.Duration(0)
	tick := func(n int, want string) {
		t.Helper()
		count = n
		out, next := c.Tick(nil, now)
		if string(out) != want {
			t.Errorf("%d wanted: %q, want %q", n, out, want)
		}
		now = next
	}
	tick(-5, "")
	tick(10, "RDY 10\n")
	tick(10, "")
	tick(20, "RDY 20\n")
	tick(1<<40, "")
	tick(1, "RDY 1\n")
	c.AppendStop(nil)
	tick(9, "")
	if err := d.Feed(response("CLOSE_WAIT")); err != nil {
		t.Fatal(err)
	}
	tick(8, "")

	c, d = opened(t, cfg, identifiedJSON)
	if err := d.Feed(response("CLOSE_WAIT")); err != nil {
		t.Fatal(err)
	}
	now = 0
	tick(3, "")
}

// TestNop: NOP keeps nsqd from closing the connection while nothing is read. While heartbeats are
// answered, no more than needed is sent.
func TestNop(t *testing.T) {
	c, d := opened(t, testConfig(), identifiedJSON)
	commands, at := until(c, 0, 31*time.Second)
	if strings.Join(commands, "") != strings.Repeat("NOP\n", 6) || at[0] != 5*time.Second || at[5] != 30*time.Second {
		t.Errorf("%q at %v", commands, at)
	}
	now := 31 * time.Second
	for range 10 {
		if err := d.Feed(response("_heartbeat_")); err != nil {
			t.Fatal(err)
		}
		if commands, at := until(c, now+ms, now+5*time.Second); len(commands) != 0 {
			t.Errorf("%q at %v", commands, at)
		}
		now += 5 * time.Second
	}
	// Acks are signs of life as well.
	feed(t, d, 1, 10)
	for seq := range uint64(10) {
		c.AppendAcks(nil, seq+1, 1, worker.OK)
		if commands, at := until(c, now+ms, now+3*time.Second); len(commands) != 0 {
			t.Errorf("%q at %v", commands, at)
		}
		now += 3 * time.Second
	}
	// It continues after CLS, because messages in flight may take long.
	c.AppendStop(nil)
	if err := d.Feed(response("CLOSE_WAIT")); err != nil {
		t.Fatal(err)
	}
	if commands, _ := until(c, now, now+12*time.Second); strings.Join(commands, "") != "NOP\nNOP\n" {
		t.Errorf("%q behind the stop", commands)
	}
}
