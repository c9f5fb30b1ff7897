package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"feedgate/worker"
	"feedgate/worker/testkit"
)

// testServer is a listener for tests that play the server byte by byte.
type testServer struct {
	t  *testing.T
	ln net.Listener
}

func newTestServer(t *testing.T) *testServer {
	t.Helper()
	ln := testkit.Listen(t)
	return &testServer{t, ln}
}

func (s *testServer) accept() *net.TCPConn {
	s.t.Helper()
	_ = s.ln.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
	c, err := s.ln.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// TestUnsendableAcksAreCounted: if the server has closed the connection, acks count as not sent,
// whether the kernel still accepted them or not.
func TestUnsendableAcksAreCounted(t *testing.T) {
	for _, n := range []int{1, 3} {
		s := newTestServer(t)
		gates := make([]chan struct{}, n)
		lines := ""
		for i := range gates {
			gates[i] = make(chan struct{})
			lines += string(rune('0'+i)) + "\n"
		}
		cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), func(m worker.Message) worker.Code {
			<-gates[m.Data[0]-'0']
			return worker.OK
		})
		cfg.Workers = n
		setFlag(&cfg, "frame", "line")
		setFlag(&cfg, "ack-template", `A{n}\n`)
		var log testkit.Log
		cfg.Log = log.Logger()
		r := start(t, cfg)
		c := s.accept()
		if _, err := io.WriteString(c, lines); err != nil {
			t.Fatal(err)
		}
		c.Close()
		waitFor(t, func() bool { return log.Has("server closed") })
		for i := range gates {
			if i == n-1 && n > 1 {
				waitFor(t, func() bool { return log.Has("can no longer be sent") })
			}
			close(gates[i])
			waitFor(t, func() bool { return i > 0 || r.g.Stats().InFlight.Load() < int64(n) })
		}
		want := fmt.Sprintf("%d acknowledgements not sent", n)
		if err := r.wait(); !errors.Is(err, ErrUnfinished) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestCloseIsNotHeldUp: the server's close is answered once the messages of that connection are
// done. Messages of an earlier connection are finished before Run returns.
func TestCloseIsNotHeldUp(t *testing.T) {
	s := newTestServer(t)
	gate := make(chan struct{})
	cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), func(m worker.Message) worker.Code {
		if string(m.Data) == "held" {
			<-gate
		}
		return worker.OK
	})
	setFlag(&cfg, "frame", "line")
	setFlag(&cfg, "ack-template", `A{n}\n`)
	r := start(t, cfg)
	c := s.accept()
	if _, err := io.WriteString(c, "held\n"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 1 })
	_ = c.SetLinger(0)
	c.Close()
	c = s.accept()
	if _, err := io.WriteString(c, "a\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "A1\n" {
		t.Errorf("%q, %v", got, err)
	}
	c.Close()
	close(gate)
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

// TestHeartbeatBeginsWithLogin: the tick that the login asked for does not delay the heartbeat.
func TestHeartbeatBeginsWithLogin(t *testing.T) {
	s := newTestServer(t)
	cfg := testConfig(t, "ws://"+s.ln.Addr().String(), accept)
	setFlag(&cfg, "ack-template", "A{n}")
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

// TestResetIsNoClose: a reset is not a clean close, even if a send reports it; messages received
// before it are handled.
func TestResetIsNoClose(t *testing.T) {
	for name, set := range map[string]func(*Config){
		"acks":       func(c *Config) { setFlag(c, "ack-template", `A{n}\n`) },
		"heartbeats": func(c *Config) { c.Heartbeat = 5 * time.Millisecond; setFlag(c, "heartbeat-template", `hb\n`) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestServer(t)
			gate := make(chan struct{})
			cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), func(worker.Message) worker.Code { <-gate; return worker.OK })
			cfg.InFlight, cfg.Workers = 1, 1
			setFlag(&cfg, "frame", "line")
			set(&cfg)
			r := start(t, cfg)
			c := s.accept()
			if _, err := io.WriteString(c, "a\nb\nc\n"); err != nil {
				t.Fatal(err)
			}
			waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 1 })
			_ = c.SetLinger(0)
			c.Close()
			close(gate)
			c = s.accept()
			if _, err := io.WriteString(c, "d\n"); err != nil {
				t.Fatal(err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, c)
			c.Close()
			if err := r.wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFullWindowIsNotIdle: a server that waits for an ack is not considered dead, however long the
// handler takes.
func TestFullWindowIsNotIdle(t *testing.T) {
	s := newTestServer(t)
	gate := make(chan struct{})
	cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), func(worker.Message) worker.Code { <-gate; return worker.OK })
	cfg.InFlight = 1
	setFlag(&cfg, "frame", "line")
	setFlag(&cfg, "ack-template", `A{n}\n`)
	cfg.Heartbeat, cfg.IdleTimeout = time.Millisecond, 20*time.Millisecond
	setFlag(&cfg, "heartbeat-template", "hb\\n")
	r := start(t, cfg)
	c := s.accept()
	if _, err := io.WriteString(c, "a\n"); err != nil {
		t.Fatal(err)
	}
	// Heartbeats show that the connection lasts ten times --idle-timeout.
	got := make([]byte, 200*len("hb\n"))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	close(gate)
	if _, err := io.ReadFull(c, got[:3]); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, c)
	if err := r.wait(); err != nil || r.g.Stats().Reconnects.Load() > 0 {
		t.Errorf("error %v, %d connections lost", err, r.g.Stats().Reconnects.Load())
	}
}

// TestLeastMemory: with the smallest --memory, every message is processed.
func TestLeastMemory(t *testing.T) {
	for _, most := range []int64{1, 4, 16, 100, 120, 128, 200, 250, 255, 256, 500, 600, 1023} {
		s := newTestServer(t)
		cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), accept)
		cfg.MaxMessage, cfg.Memory = most, 4*most
		setFlag(&cfg, "frame", "line")
		setFlag(&cfg, "ack-template", "A")
		r := start(t, cfg)
		c := s.accept()
		const messages = 300
		if _, err := io.WriteString(c, strings.Repeat(strings.Repeat("x", int(most))+"\n", messages)); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if acks, err := io.ReadAll(c); len(acks) != messages {
			t.Errorf("--max-message %d: %d acks, %v", most, len(acks), err)
		}
		c.Close()
		if err := r.wait(); err != nil {
			t.Error(err)
		}
	}
}

// TestServerThatNeverCloses: after the server's TCP has acknowledged our FIN, the server has a
// second to close. No edge signals the acknowledgement, so it is polled, even without an idle
// timeout.
func TestServerThatNeverCloses(t *testing.T) {
	s := newTestServer(t)
	cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), func(worker.Message) worker.Code { return worker.OK })
	cfg.IdleTimeout, cfg.DrainTimeout = NoTimeout, time.Hour
	setFlag(&cfg, "frame", "line")
	setFlag(&cfg, "ack-template", `A{n}\n`)
	r := start(t, cfg)
	c := s.accept()
	if _, err := io.WriteString(c, "a\n"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return r.g.Stats().Watermark.Load() == 1 })
	r.cancel()
	if got, err := io.ReadAll(c); err != nil || string(got) != "A1\n" {
		t.Errorf("%q, %v", got, err)
	}
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}
