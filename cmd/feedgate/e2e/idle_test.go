package e2e

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestSilentTCPFeedIsKept: over tcp, a feed may be silent for longer than 25 s, the default
// --idle-timeout of other schemes.
func TestSilentTCPFeedIsKept(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", `--ack-template=A{n}\n`, "--sink=discard:")
	c := s.accept()
	c.send([]byte("one\n"))
	c.expect("A1\n")
	// The read would end early if the gateway closed the connection.
	if err := c.SetReadDeadline(time.Now().Add(26 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var one [1]byte
	if n, err := c.Read(one[:]); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the gateway sent %d bytes, %v, want silence", n, err)
	}
	c.send([]byte("two\n"))
	c.expect("A2\n")
	c.close()
	p.stop()
}

// TestIdleTimeoutOverTCP: if set, it applies. Empty lines restart it, even if they are skipped.
func TestIdleTimeoutOverTCP(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line:skip-empty", "--idle-timeout=2s", "--sink=discard:")
	c := s.accept()
	for began := time.Now(); time.Since(began) < 4*time.Second; time.Sleep(50 * time.Millisecond) {
		c.send([]byte("\r\n"))
	}
	if n := p.metric("feedgate_reconnects_total"); n != 0 {
		t.Fatalf("%v reconnects while empty lines arrive", n)
	}
	if got := c.untilEnd(); got != "" {
		t.Errorf("the gateway sent %q", got)
	}
	s.accept().close()
	if n := p.metric("feedgate_messages_total"); n != 0 {
		t.Errorf("%v messages, want no empty lines", n)
	}
	p.stop()
}
