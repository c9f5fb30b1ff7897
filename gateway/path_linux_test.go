package gateway

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/cmd/feedgate/e2e/testkit/netpath"
	"feedgate/worker/testkit"
)

// overCut connects a socket to a server with a small window, over a path that can be cut.
func overCut(t *testing.T) (*socket, *net.TCPConn, *netpath.Path) {
	t.Helper()
	path := netpath.New(t)
	var ln net.Listener
	var err error
	path.Ends[1].Do(func() { ln, err = net.Listen("tcp", net.JoinHostPort(path.Ends[1].Addr.String(), "0")) })
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	shrink(t, ln)
	var conn net.Conn
	path.Ends[0].Do(func() { conn, err = net.Dial("tcp", ln.Addr().String()) })
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := takeSocket(conn.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	s := newSocket(fd)
	t.Cleanup(func() { s.close(); server.Close() })
	return s, server.(*net.TCPConn), path
}

// TestPathOfBytesInFlight: bytes in flight are answered until the path is cut.
func TestPathOfBytesInFlight(t *testing.T) {
	s, server, path := overCut(t)
	send := func() {
		t.Helper()
		if _, err := s.send([][]byte{[]byte("some bytes")}); err != nil {
			t.Fatal(err)
		}
	}
	if send(); s.path().resent {
		t.Error("sent for the first time, and taken for resent")
	}
	testkit.Within(t, 20*time.Second, "an ack", func() bool { return !s.path().pending })
	path.Cut()
	send()
	testkit.Within(t, 20*time.Second, "no answer", func() bool {
		p := s.path()
		return p.pending && p.resent && p.quiet
	})
	_ = server
}

// TestPathOfAClosedWindow: window probes are answered until the path is cut.
func TestPathOfAClosedWindow(t *testing.T) {
	s, _, path := overCut(t)
	block := make([]byte, 64<<10)
	for {
		if _, err := s.send([][]byte{block}); err == unix.EAGAIN {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	before := s.path().answers
	testkit.Within(t, 20*time.Second, "an answer to a probe", func() bool {
		info, err := unix.GetsockoptTCPInfo(s.fd, unix.SOL_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		p := s.path()
		return info.Unacked == 0 && info.Backoff > 2 && p.pending && !p.quiet && p.answers > before
	})
	path.Cut()
	testkit.Within(t, 20*time.Second, "no answer", func() bool {
		p := s.path()
		return p.pending && p.resent && p.quiet
	})
}

// TestPathOfAPeerThatResends: the peer's retransmissions are no answers, although they are
// accepted.
func TestPathOfAPeerThatResends(t *testing.T) {
	s, server, path := overCut(t)
	path.CutFrom(0)
	if _, err := server.Write([]byte("some bytes")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.send([][]byte{[]byte("some bytes")}); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, 20*time.Second, "the bytes", func() bool { return s.path().answers >= 10 })
	path.Repeat(1, 20*time.Millisecond)
	testkit.Within(t, 20*time.Second, "the bytes again", func() bool { p := s.path(); return p.resent && !p.quiet })
	before := s.path()
	testkit.Within(t, 20*time.Second, "more of what was sent", func() bool {
		p := s.path()
		if p.answers != before.answers {
			t.Fatalf("%d answers, then %d", before.answers, p.answers)
		}
		return p.resent && !p.quiet && p.resends > before.resends+256
	})
}

// TestPathThatBringsAClose: the peer's retransmitted FIN is no answer either, whether bytes or our
// FIN are in flight.
func TestPathThatBringsAClose(t *testing.T) {
	for name, send := range map[string]func(*socket) error{
		"bytes": func(s *socket) error { _, err := s.send([][]byte{[]byte("some bytes")}); return err },
		"close": (*socket).closeSend,
	} {
		t.Run(name, func(t *testing.T) {
			s, server, path := overCut(t)
			path.CutFrom(0)
			if err := server.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			testkit.Within(t, 20*time.Second, "the close", func() bool {
				n, err := s.recv(make([]byte, 1))
				return n == 0 && err == nil
			})
			if err := send(s); err != nil {
				t.Fatal(err)
			}
			path.Repeat(1, 20*time.Millisecond)
			testkit.Within(t, 20*time.Second, "the close again", func() bool {
				p := s.path()
				return p.resent && p.silence < 100*time.Millisecond
			})
			before := s.path()
			testkit.Within(t, 20*time.Second, "more of what was sent", func() bool {
				p := s.path()
				if p.answers != before.answers {
					t.Fatalf("%d answers, then %d", before.answers, p.answers)
				}
				return p.resent && p.resends > before.resends+256
			})
		})
	}
}

// TestPathOfAHalfClosedPeer: a segment without data is an answer unless it is a FIN.
func TestPathOfAHalfClosedPeer(t *testing.T) {
	s, server, path := overCut(t)
	send := func() {
		t.Helper()
		if _, err := s.send([][]byte{[]byte("some bytes")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, 20*time.Second, "the close", func() bool {
		n, err := s.recv(make([]byte, 1))
		return n == 0 && err == nil
	})
	send()
	testkit.Within(t, 20*time.Second, "an ack", func() bool { return !s.path().pending })
	path.CutFrom(0)
	send()
	before := s.path().answers
	path.Repeat(1, 20*time.Millisecond) // the ack
	testkit.Within(t, 20*time.Second, "acks", func() bool { return s.path().answers > before+3 })
}

// TestPathOfAClose: our FIN, with no byte before it, is unanswered on a cut path.
func TestPathOfAClose(t *testing.T) {
	s, server, path := overCut(t)
	path.Cut()
	if err := s.closeSend(); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, 20*time.Second, "no answer", func() bool {
		p := s.path()
		return p.pending && p.resent && p.quiet
	})
	_ = server
}

// TestPathOfAReset: a reset ends the watch.
func TestPathOfAReset(t *testing.T) {
	s, server, path := overCut(t)
	path.CutFrom(0)
	if _, err := s.send([][]byte{[]byte("some bytes")}); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, 20*time.Second, "no answer", func() bool { return s.path().quiet })
	if err := server.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	server.Close()
	testkit.Within(t, 20*time.Second, "the reset", func() bool { return s.path() == pathState{} })
}
