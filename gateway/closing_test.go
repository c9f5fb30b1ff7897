package gateway

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"feedgate/worker"
)

// station is where a gateway connects to, of a test that says every byte itself.
type station struct {
	t  *testing.T
	ln net.Listener
}

func newStation(t *testing.T) *station {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &station{t, ln}
}

func (s *station) accept() *net.TCPConn {
	s.t.Helper()
	c, err := s.ln.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// TestAcksForNobody: acks that the kernel took, and a server that has closed for good
// refused, were not sent.
func TestAcksForNobody(t *testing.T) {
	for n, want := range map[int]string{1: "1 acknowledgements not sent", 3: "3 acknowledgements not sent"} {
		s := newStation(t)
		gate := make(chan struct{})
		cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), func(worker.Message) worker.Code { <-gate; return worker.OK })
		cfg.Frame, cfg.AckTemplate, cfg.Workers = "line", `A{n}\n`, n
		var log logged
		cfg.Log = log.logger()
		r := start(t, cfg)
		c := s.accept()
		if _, err := io.WriteString(c, strings.Repeat("a\n", n)); err != nil {
			t.Fatal(err)
		}
		c.Close()
		waitFor(t, func() bool { return log.has("server closed") })
		close(gate)
		if err := r.wait(); !errors.Is(err, ErrUnfinished) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestCloseIsNotHeldUp: the server's Close is answered when its own connection's
// messages are done. What came on an earlier one is finished before the end.
func TestCloseIsNotHeldUp(t *testing.T) {
	s := newStation(t)
	gate := make(chan struct{})
	cfg := testConfig(t, "ws://"+s.ln.Addr().String(), func(m worker.Message) worker.Code {
		if string(m.Data) == "held" {
			<-gate
		}
		return worker.OK
	})
	cfg.AckTemplate = "A{n}"
	r := start(t, cfg)
	c := s.accept()
	upgrade(t, c)
	if _, err := io.WriteString(c, "\x81\x04held"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 1 })
	_ = c.SetLinger(0)
	c.Close()
	c = s.accept()
	upgrade(t, c)
	if _, err := io.WriteString(c, "\x81\x01a\x88\x02\x03\xe8"); err != nil {
		t.Fatal(err)
	}
	var said [2 + 4 + 2 + 2 + 4 + 2]byte // A1 and Close, masked
	if _, err := io.ReadFull(c, said[:]); err != nil || said[0] != 0x81 || said[8] != 0x88 {
		t.Errorf("% x, %v", said, err)
	}
	c.Close()
	close(gate)
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

// TestHeartbeatBeginsWithLogin: what the login had to wait for does not put off the
// heartbeat.
func TestHeartbeatBeginsWithLogin(t *testing.T) {
	s := newStation(t)
	cfg := testConfig(t, "ws://"+s.ln.Addr().String(), accept)
	cfg.AckTemplate = "A{n}"
	cfg.Heartbeat, cfg.IdleTimeout = 10*time.Millisecond, 24*time.Hour
	r := start(t, cfg)
	c := s.accept()
	upgrade(t, c)
	for range 3 {
		var ping [2 + 4]byte
		if _, err := io.ReadFull(c, ping[:]); err != nil || ping[0] != 0x89 {
			t.Errorf("% x, %v", ping, err)
		}
	}
	c.Close()
	r.cancel()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}
