package e2e

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/cmd/feedgate/e2e/testkit/netpath"
	"feedgate/gateway/tlstest"
)

// pathIdle is --idle-timeout on a path that is cut. --write-timeout is its default, 5m.
const pathIdle = 3 * time.Second

// TestDeadPath: if a path loses all packets, the connection ends after --idle-timeout, even while
// the gateway does not read.
func TestDeadPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		sink   string
		pause  time.Duration // of the server, after each line; 0: it sends as fast as it can
		oneWay bool          // only what the gateway sends is lost
	}{
		{name: "loaded", sink: "spin:100us"},
		{name: "idle", sink: "spin:20us", pause: 500 * time.Millisecond},
		{name: "full rings", sink: "spin:3ms"},
		{name: "one way", sink: "spin:100us", oneWay: true},
	} {
		for _, secure := range []bool{false, true} {
			name := c.name
			if secure {
				name += ", TLS"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				path := netpath.New(t)
				p, conn := overPath(t, path, secure, "--sink="+c.sink)
				go feedLines(conn, c.pause)
				// Acks are longer than messages, so that after the cut the unsent acks stop the
				// gateway's reading.
				if n, err := io.CopyN(io.Discard, conn, 2*longAck); err != nil {
					t.Fatalf("%d bytes of acks, %v", n, err)
				}
				go func() { _, _ = io.Copy(io.Discard, conn) }() // to the end of the test
				time.Sleep(time.Second)                          // until the rings of slow workers are full
				if c.oneWay {
					noticed(t, p, func() { path.CutFrom(0) })
				} else {
					noticed(t, p, path.Cut)
				}
			})
		}
	}
}

// TestDeadPathOfAPeerThatResends: only the gateway's packets are lost, while it does not read. The
// server's TCP retransmits a last segment, which the gateway's TCP accepts, with the ack that it
// carries.
func TestDeadPathOfAPeerThatResends(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) {
			t.Parallel()
			path := netpath.New(t)
			p, conn := overPath(t, path, secure, "--sink=spin:100us")
			line := []byte(strings.Repeat("m", 63) + "\n")
			// One second of work, with 10 MB of acks.
			sent := make(chan error, 1)
			go func() { _, err := conn.Write(bytes.Repeat(line, 20_000)); sent <- err }()
			if n, err := io.CopyN(io.Discard, conn, 5000*longAck); err != nil {
				t.Fatalf("%d bytes of acks, %v", n, err)
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }() // to the end of the test
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			noticed(t, p, func() {
				path.CutFrom(0)
				if _, err := conn.Write(line); err != nil {
					t.Fatal(err)
				}
				path.Repeat(1, 100*time.Millisecond)
			})
		})
	}
}

// TestDeadPathOfAHalfClosedPeer: the same, but the server has closed its sending side. Its TCP
// retransmits a FIN, which, like an ack, has no data.
func TestDeadPathOfAHalfClosedPeer(t *testing.T) {
	t.Parallel()
	path := netpath.New(t)
	p, conn := overPath(t, path, false, "--sink=spin:20ms")
	go func() { _, _ = io.Copy(io.Discard, conn) }() // to the end of the test
	// Ten seconds of work.
	if _, err := conn.Write(bytes.Repeat([]byte(strings.Repeat("m", 63)+"\n"), 1000)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "TCP acks of all lines", func() bool { return unackedBytes(t, conn.(*net.TCPConn)) == 0 })
	noticed(t, p, func() {
		path.CutFrom(0)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		path.Repeat(1, 100*time.Millisecond)
	})
}

// unackedBytes returns how many bytes written to conn the peer's TCP has not acknowledged.
func unackedBytes(t *testing.T, conn *net.TCPConn) (n int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fault error
	err = raw.Control(func(fd uintptr) { n, fault = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if err := errors.Join(err, fault); err != nil {
		t.Fatal(err)
	}
	return n
}

const longAck = 500

// overPath connects a gateway at one end of a path to a line server at the other. It returns the server's
// connection.
func overPath(t *testing.T, path *netpath.Path, secure bool, args ...string) (*process, net.Conn) {
	t.Helper()
	var ln *net.TCPListener
	path.Ends[1].Do(func() { ln = listenAt(t, net.JoinHostPort(path.Ends[1].Addr.String(), "0"), 0) })
	scheme := "tcp://"
	ca := tlstest.NewAuthority(t)
	if secure {
		scheme, args = "tcp+tls://", append(args, "--tls-ca="+ca.File, "--tls-server-name=feed.test")
	}
	args = append(args, scheme+ln.Addr().String(), "--frame=line", "--ack-template="+strings.Repeat("A", longAck),
		"--admin=", "--workers=2", "--idle-timeout="+pathIdle.String())
	var p *process
	path.Ends[0].Do(func() { p = run(t, args...) })
	if !secure {
		return p, accept(t, ln)
	}
	conn, raw, err := acceptTLS(t, ln, &tls.Config{Certificates: []tls.Certificate{ca.Issue(tlstest.For("feed.test"))}})
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	return p, conn
}

// feedLines sends lines of 64 bytes until the connection is closed.
func feedLines(conn net.Conn, pause time.Duration) {
	line := strings.Repeat("m", 63) + "\n"
	lines := []byte(line)
	if pause == 0 {
		lines = []byte(strings.Repeat(line, 1000))
	}
	for {
		if _, err := conn.Write(lines); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// TestDeadPathBehindAClosedWindow: the server reads no acks, and its TCP answers window probes
// until the path is cut.
func TestDeadPathBehindAClosedWindow(t *testing.T) {
	t.Parallel()
	path := netpath.New(t)
	s := &fgServer{t: t}
	path.Ends[1].Do(func() { s.ln = listenAt(t, net.JoinHostPort(path.Ends[1].Addr.String(), "0"), 4<<10) })
	var p *process
	path.Ends[0].Do(func() {
		p = run(t, s.url(), "--admin=", "--in-flight=1024", "--idle-timeout="+pathIdle.String())
	})
	c := s.accept()
	c.welcome(1, "{}")
	sendMany(t, c, 5000)
	time.Sleep(2 * pathIdle) // the connection to a live peer is kept
	noticed(t, p, path.Cut)
}

// TestStopOnADeadPath: a drain that only waits for the peer's TCP ends after --idle-timeout as
// well, whether the protocol's close or the end of the gateway's stream is unanswered.
func TestStopOnADeadPath(t *testing.T) {
	t.Parallel()
	at := func(path *netpath.Path) (ln *net.TCPListener) {
		path.Ends[1].Do(func() { ln = listenAt(t, net.JoinHostPort(path.Ends[1].Addr.String(), "0"), 0) })
		return ln
	}
	args := []string{"--admin=", "--drain-timeout=1h", "--idle-timeout=" + pathIdle.String()}
	stop := func(t *testing.T, p *process, path *netpath.Path) {
		t.Helper()
		path.Cut()
		began := time.Now()
		p.signal(syscall.SIGTERM)
		p.exit(0)
		t.Logf("%s: ended %.2f s after the cut, with --idle-timeout %v", t.Name(), time.Since(began).Seconds(), pathIdle)
	}
	t.Run("close", func(t *testing.T) {
		t.Parallel()
		path := netpath.New(t)
		s := &fgServer{t: t, ln: at(path)}
		var p *process
		path.Ends[0].Do(func() { p = run(t, append(args, s.url())...) })
		c := s.accept()
		c.welcome(1, "{}")
		c.send(data(1, "one"))
		c.acked(1)
		stop(t, p, path)
	})
	t.Run("end of the stream", func(t *testing.T) { // the gateway has sent nothing before
		t.Parallel()
		path := netpath.New(t)
		s := &tcpServer{t: t, ln: at(path)}
		var p *process
		path.Ends[0].Do(func() { p = run(t, append(args, s.url(), "--frame=line", "--sink=stdout:")...) })
		s.accept().send([]byte("one\n"))
		eventually(t, "the message", func() bool { return p.stdout.String() == "one\n" })
		stop(t, p, path)
	})
}

// noticed cuts the path of a connection, and waits until the gateway ends the connection.
func noticed(t *testing.T, p *process, cut func()) {
	t.Helper()
	if strings.Contains(p.stderr.String(), "connection lost") {
		t.Fatal("the connection is lost before the path is cut")
	}
	began := time.Now()
	cut()
	p.waitLog("connection lost", "--idle-timeout "+pathIdle.String())
	t.Logf("%s: ended %.2f s after the cut, with --idle-timeout %v", t.Name(), time.Since(began).Seconds(), pathIdle)
}

// TestPeerThatTakesNoAcks: the server neither reads nor sends, but its TCP answers window probes.
// The connection is kept for far longer than --idle-timeout, although the intervals between probes
// grow beyond that.
func TestPeerThatTakesNoAcks(t *testing.T) {
	t.Parallel()
	const idle, stall, count = time.Second, 14 * time.Second, 5000
	serve := func(t *testing.T, c *fgConn) {
		c.welcome(1, "{}")
		sendMany(t, c, count)
		// If the gateway ended the connection in this time, the rest would fail.
		time.Sleep(stall)
		c.send(bye(0))
		checkOnce(t, drainAcks(t, c), count)
		c.close()
	}
	args := []string{"--exit-on-close", "--in-flight=1024", "--idle-timeout=" + idle.String(), "--heartbeat=100ms"}
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		s := &fgServer{t: t, ln: listen(t, 4<<10)}
		p := run(t, append(args, s.url())...)
		serve(t, s.accept())
		p.exit(0)
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		ca, ln := tlstest.NewAuthority(t), listen(t, 4<<10)
		p := run(t, append(args, "fg+tls://"+ln.Addr().String(), "--tls-ca="+ca.File)...)
		conn, raw, err := acceptTLS(t, ln, ca.Server())
		if err != nil {
			t.Fatal(err)
		}
		serve(t, overTLS(t, conn, raw))
		p.exit(0)
	})
}
