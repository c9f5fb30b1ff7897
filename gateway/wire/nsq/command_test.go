package nsq

import (
	"fmt"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// feed gives an opened connection messages first to last.
func feed(t *testing.T, d *wiretest.Driver, first, last int) {
	t.Helper()
	for n := first; n <= last; n++ {
		if err := d.Feed(message(n, 1, "x")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAcks(t *testing.T) {
	c, d := opened(t, testConfig(), identifiedJSON)
	feed(t, d, 1, 4)
	if err := d.Feed(cat(message(5, 3, bodyOf(testLimit+1)), message(6, 2, "y"))); err != nil {
		t.Fatal(err)
	}
	fin := func(n int) string { return "FIN " + idOf(n) + "\n" }
	for _, k := range []struct {
		seq  uint64
		n    int
		code worker.Code
		want string
	}{
		{2, 2, worker.OK, fin(2) + fin(3)},
		{1, 1, worker.DeadLettered, fin(1)},
		{5, 1, worker.TooLarge, "REQ " + idOf(5) + " 400\n"},
		{4, 1, worker.CodeHandler, "REQ " + idOf(4) + " 100\n"},
		{6, 1, worker.Refused, "REQ " + idOf(6) + " 200\n"},
	} {
		if got := string(c.AppendAcks([]byte("before"), k.seq, k.n, k.code)); got != "before"+k.want {
			t.Errorf("%+v: %q", k, got)
		}
	}
}

func TestRequeueDelay(t *testing.T) {
	for _, c := range []struct {
		least    time.Duration
		attempts uint16
		want     time.Duration
	}{
		{100 * time.Millisecond, 0, 100 * time.Millisecond},
		{100 * time.Millisecond, 1, 100 * time.Millisecond},
		{100 * time.Millisecond, 2, 200 * time.Millisecond},
		{100 * time.Millisecond, 14, 100 << 13 * time.Millisecond},
		{100 * time.Millisecond, 15, 15 * time.Minute},
		{100 * time.Millisecond, 65535, 15 * time.Minute},
		{0, 65535, 0},
		{time.Hour, 1, 15 * time.Minute},
		{1<<63 - 1, 9, 15 * time.Minute},
		{1, 65535, 15 * time.Minute},
	} {
		p := &protocol{cfg: Config{RequeueMin: c.least}}
		if got := p.delay(c.attempts); got != c.want {
			t.Errorf("%v at attempt %d: %v, want %v", c.least, c.attempts, got, c.want)
		}
	}
}

// TestStop: CLS is sent once, and only when there is a subscription to stop.
func TestStop(t *testing.T) {
	early := mustNew(t, testConfig()).NewConn()
	early.AppendHello(nil, wire.Hello{})
	if got := early.AppendStop(nil); len(got) != 0 {
		t.Errorf("in the login: %q", got)
	}
	c, d := opened(t, testConfig(), identifiedJSON)
	if got := string(c.AppendStop([]byte("before"))); got != "beforeCLS\n" {
		t.Errorf("%q", got)
	}
	if got := c.AppendStop(nil); len(got) != 0 {
		t.Errorf("again: %q", got)
	}
	if err := d.Feed(cat(message(1, 1, "a"), response("CLOSE_WAIT"))); err != nil {
		t.Fatal(err)
	}
	if got := outcomeOf(t, d.Result).trace; fmt.Sprint(got) != "[ready message a close 0 true]" {
		t.Errorf("%q", got)
	}
	if got := c.AppendClose(nil, wire.CloseOK); len(got) != 0 {
		t.Errorf("goodbye %q", got)
	}

	// CLS after CLOSE_WAIT is E_INVALID.
	c, d = opened(t, testConfig(), identifiedJSON)
	if err := d.Feed(response("CLOSE_WAIT")); err != nil {
		t.Fatal(err)
	}
	if got := c.AppendStop(nil); len(got) != 0 {
		t.Errorf("closed by the server: %q", got)
	}
}
