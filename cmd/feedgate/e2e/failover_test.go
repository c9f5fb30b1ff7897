package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// closer accepts every connection, calls answer with it, and closes it, like a proxy without a backend.
type closer struct {
	net.Listener
	accepted atomic.Int64
}

func newCloser(t *testing.T, address string, answer func(net.Conn)) *closer {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c := &closer{Listener: ln}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.accepted.Add(1)
			if answer != nil {
				answer(conn)
			}
			conn.Close()
		}
	}()
	return c
}

// withHosts returns a command that runs feedgate with its own /etc/hosts, in a mount namespace; see launch.
func withHosts(t *testing.T, table string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	through := []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, file}
	if out, err := exec.Command(through[0], append(through[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: a process with its own /etc/hosts requires namespaces: %v %s", err, out)
	}
	return through
}

func portOf(t *testing.T, ln net.Listener) string {
	t.Helper()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// serveLines accepts the gateway's connection, sends lines and reads their acks.
func serveLines(t *testing.T, ln net.Listener) {
	t.Helper()
	c := &tcpConn{TCPConn: accept(t, ln.(*net.TCPListener)), t: t}
	c.send([]byte("one\ntwo\n"))
	c.expect("A1\nA2\n")
	if rest := c.rest(); rest != "" {
		t.Errorf("%q after the acks", rest)
	}
}

// TestFailoverFromAnImmediateClose: if a host closes at once, like a proxy without a backend, that
// is not the end of the feed while there is another host.
func TestFailoverFromAnImmediateClose(t *testing.T) {
	t.Parallel()
	a := newCloser(t, "127.0.0.1:0", nil)
	b := listen(t, 0)
	p := run(t, "tcp://"+a.Addr().String()+","+b.Addr().String(), "--frame=line", `--ack-template=A{n}\n`, "--ack=ordered",
		"--workers=1", "--sink=discard:", "--exit-on-close")
	serveLines(t, b)
	p.exit(0)
	if n := a.accepted.Load(); n != 1 {
		t.Errorf("%d connections to the proxy", n)
	}
}

// TestFailoverToAnotherAddress: if the first address of a name closes at once, the second is tried.
func TestFailoverToAnotherAddress(t *testing.T) {
	t.Parallel()
	through := withHosts(t, "127.0.0.1 feed.test\n127.0.0.2 feed.test\n")
	a := newCloser(t, "127.0.0.1:0", nil)
	b, err := net.Listen("tcp", "127.0.0.2:"+portOf(t, a))
	if err != nil {
		t.Skipf("the port is in use at another address: %v", err)
	}
	t.Cleanup(func() { b.Close() })
	p := runWith(t, launch{through: through, args: []string{"tcp://feed.test:" + portOf(t, a), "--frame=line", `--ack-template=A{n}\n`,
		"--ack=ordered", "--workers=1", "--sink=discard:", "--exit-on-close"}})
	serveLines(t, b)
	p.exit(0)
}

// TestFailoverFromAnImmediateCloseOverWebSocket: the first host answers the handshake, and closes.
func TestFailoverFromAnImmediateCloseOverWebSocket(t *testing.T) {
	t.Parallel()
	for name, end := range map[string][]byte{"with Close": wsFrame(wsFinal|wsClose, closeCode(1000)), "without": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := listen(t, 0), listen(t, 0)
			p := run(t, "ws://"+a.Addr().String()+","+b.Addr().String()+"/", "--sink=discard:", "--exit-on-close")
			c := acceptWS(t, a, "")
			c.sendBytes(end)
			if end != nil {
				c.closed()
			}
			c.hangUp()
			c = acceptWS(t, b, "")
			c.send(wsFinal|wsText, "one")
			p.waitMetric(1, "feedgate_messages_total")
			c.leave()
			p.exit(0)
		})
	}
}

// TestImmediateCloseByEveryHostIsClean: once every host has been tried, it is a clean close.
func TestImmediateCloseByEveryHostIsClean(t *testing.T) {
	t.Parallel()
	a, b := newCloser(t, "127.0.0.1:0", nil), newCloser(t, "127.0.0.1:0", nil)
	p := run(t, "tcp://"+a.Addr().String()+","+b.Addr().String(), "--frame=line", "--sink=discard:", "--exit-on-close")
	p.exit(0)
	if a.accepted.Load() != 1 || b.accepted.Load() != 1 {
		t.Errorf("%d and %d connections, want one to each", a.accepted.Load(), b.accepted.Load())
	}
}

// TestImmediateCloseByTheOnlyLiveHostIsClean: the other host refuses connections.
func TestImmediateCloseByTheOnlyLiveHostIsClean(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	p := run(t, "tcp://"+ln.Addr().String()+","+deadAddress(), "--frame=line", "--sink=discard:", "--exit-on-close")
	conn := accept(t, ln)
	ln.Close()
	conn.Close()
	p.exit(0)
}

// TestDeadAddressDelaysNoConnect: if one address of a name drops connections, the next is tried before the
// connect timeout.
func TestDeadAddressDelaysNoConnect(t *testing.T) {
	t.Parallel()
	through := withHosts(t, "127.0.0.1 feed.test\n127.0.0.2 feed.test\n")
	port := swallow(t, "127.0.0.1:0")
	ln, err := net.Listen("tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Skipf("the port is in use at another address: %v", err)
	}
	t.Cleanup(func() { ln.Close() })
	p := runWith(t, launch{through: through, args: []string{"tcp://feed.test:" + port, "--frame=line", `--ack-template=A{n}\n`,
		"--ack=ordered", "--workers=1", "--sink=discard:", "--exit-on-close", "--connect-timeout=1h"}})
	serveLines(t, ln)
	p.exit(0)
}

// TestReconnectBeginsWithTheLastHost: so a first host that drops connections delays no reconnect.
func TestReconnectBeginsWithTheLastHost(t *testing.T) {
	t.Parallel()
	first, s := freshAddress(), listenFG(t)
	p := run(t, "fg://"+first+","+strings.TrimPrefix(s.url(), "fg://"), "--sink=discard:", "--connect-timeout=1h", "--heartbeat=50ms")
	c := s.accept() // the first host still refuses connections
	swallow(t, first)
	for range 3 {
		c.welcome(1, `{"session":"s"}`)
		c.pings(25) // longer than a second, after which a host counts as working
		c.close()
		c = s.accept()
	}
	c.welcome(1, `{"session":"s"}`)
	p.stop(c)
}

// swallow listens on an IPv4 address with a full backlog, so that the kernel drops connection requests. It
// returns the port.
func swallow(t *testing.T, address string) string {
	t.Helper()
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(name.(*syscall.SockaddrInet4).Port)
	for {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(at.Addr().String(), port), 300*time.Millisecond)
		if err != nil {
			return port
		}
		t.Cleanup(func() { c.Close() })
	}
}

// TestShortConnectionsBackOff: a server that sends one line and closes is dialed with growing waits.
func TestShortConnectionsBackOff(t *testing.T) {
	t.Parallel()
	a := newCloser(t, "127.0.0.1:0", func(c net.Conn) { fmt.Fprint(c, "one\n") })
	p := run(t, "tcp://"+a.Addr().String(), "--frame=line", "--sink=discard:", "--reconnect-min=10ms", "--reconnect-max=1h")
	eventually(t, "several connections", func() bool { return a.accepted.Load() > 5 })
	time.Sleep(2 * time.Second) // the number of connections in this time is bounded
	// The bound of the waits doubles from 20 ms on. After ten waits it is over ten seconds.
	if n := a.accepted.Load(); n > 40 {
		t.Errorf("%d connections within seconds", n)
	}
	p.signal(syscall.SIGTERM)
	p.exit(0)
}

func TestReconnectMinIsBounded(t *testing.T) {
	t.Parallel()
	got := command(t, nil, "run", "tcp://127.0.0.1:1", "--frame=line", "--sink=discard:", "--admin=", "--reconnect-min=1ns")
	if got.status != 2 || !strings.Contains(got.stderr, "--reconnect-min") || !strings.Contains(got.stderr, "1ms") {
		t.Errorf("status %d, standard error %q", got.status, got.stderr)
	}
}

// TestConnectAttemptsLimitFailures: connections that never become ready, each to one host, count as failed
// attempts.
func TestConnectAttemptsLimitFailures(t *testing.T) {
	t.Parallel()
	none := func(net.Conn) {}
	for attempts, want := range map[int64][2]int64{1: {1, 0}, 2: {1, 1}, 5: {3, 2}} {
		t.Run(fmt.Sprint(attempts), func(t *testing.T) {
			t.Parallel()
			a, b := newCloser(t, "127.0.0.1:0", none), newCloser(t, "127.0.0.1:0", none)
			p := run(t, "ws://"+a.Addr().String()+","+b.Addr().String()+"/", "--sink=discard:", fmt.Sprint("--connect-attempts=", attempts))
			p.exit(1)
			if got := [2]int64{a.accepted.Load(), b.accepted.Load()}; got != want {
				t.Errorf("connections %v, want %v", got, want)
			}
			p.waitLog("--connect-attempts")
		})
	}
	got := command(t, nil, "run", "tcp://"+deadAddress(), "--frame=line", "--sink=discard:", "--admin=",
		"--reconnect-min=1ms", "--reconnect-max=1ms", "--connect-attempts=3")
	if got.status != 1 || !strings.Contains(got.stderr, "--connect-attempts") || !strings.Contains(got.stderr, "refused") {
		t.Errorf("status %d, standard error %q", got.status, got.stderr)
	}
	got = command(t, nil, "run", "tcp://127.0.0.1:1", "--frame=line", "--sink=discard:", "--admin=", "--connect-attempts=-1")
	if got.status != 2 || !strings.Contains(got.stderr, "--connect-attempts") {
		t.Errorf("status %d, standard error %q", got.status, got.stderr)
	}
}

// TestConnectAttemptsStartOver: a connection that becomes ready resets the count.
func TestConnectAttemptsStartOver(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	p := run(t, s.url(), "--sink=discard:", "--connect-attempts=2")
	for range 3 {
		s.accept().decline()
		c := s.accept()
		c.welcome(1, "{}")
		c.close()
	}
	c := s.accept()
	c.welcome(1, "{}")
	p.stop(c)
}

// decline reads HELLO and closes without an answer.
func (c *fgConn) decline() {
	c.t.Helper()
	c.hello()
	c.close()
}
