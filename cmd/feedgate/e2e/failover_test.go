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

// closer accepts every connection, lets answer do something with it, and closes: a proxy
// without a backend.
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

// withHosts runs feedgate with a host table of its own. It takes a mount namespace.
func withHosts(t *testing.T, table string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	through := []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, file}
	if out, err := exec.Command(through[0], append(through[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no host table of its own for a process here: %v %s", err, out)
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

// serveLines waits for the gateway, sends it lines and reads their acks.
func serveLines(t *testing.T, ln net.Listener) {
	t.Helper()
	c := &tcpConn{TCPConn: accept(t, ln.(*net.TCPListener)), t: t}
	c.send([]byte("one\ntwo\n"))
	c.expect("A1\nA2\n")
	if rest := c.rest(); rest != "" {
		t.Errorf("%q behind the acks", rest)
	}
}

// TestProxyWithoutBackend accepts and closes at once: that is no end of the feed while
// there is another host.
func TestProxyWithoutBackend(t *testing.T) {
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

// TestProxyWithoutBackendInOneName: the second address of the name is tried.
func TestProxyWithoutBackendInOneName(t *testing.T) {
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

// TestProxyWithoutBackendOverWebSocket answers the handshake, and closes.
func TestProxyWithoutBackendOverWebSocket(t *testing.T) {
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

// TestEveryHostClosesAtOnce: once no host is untried, that is an ordinary clean close.
func TestEveryHostClosesAtOnce(t *testing.T) {
	t.Parallel()
	a, b := newCloser(t, "127.0.0.1:0", nil), newCloser(t, "127.0.0.1:0", nil)
	p := run(t, "tcp://"+a.Addr().String()+","+b.Addr().String(), "--frame=line", "--sink=discard:", "--exit-on-close")
	p.exit(0)
	if a.accepted.Load() != 1 || b.accepted.Load() != 1 {
		t.Errorf("%d and %d connections, want one to each", a.accepted.Load(), b.accepted.Load())
	}
}

// TestCloseOfTheOnlyHost: a server that serves once, and had nothing, has closed cleanly
// when the other host turns out to be dead.
func TestCloseOfTheOnlyHost(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	p := run(t, "tcp://"+ln.Addr().String()+","+deadAddress(), "--frame=line", "--sink=discard:", "--exit-on-close")
	conn := accept(t, ln)
	ln.Close()
	conn.Close()
	p.exit(0)
}

// TestDeadAddressOfAName costs a moment, not the connect timeout.
func TestDeadAddressOfAName(t *testing.T) {
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

// TestDeadFirstHost: a reconnect begins with the host that worked, and so it costs nothing
// that the first one drops what asks to connect.
func TestDeadFirstHost(t *testing.T) {
	t.Parallel()
	first, s := freshAddress(), listenFG(t)
	p := run(t, "fg://"+first+","+strings.TrimPrefix(s.url(), "fg://"), "--sink=discard:", "--connect-timeout=1h", "--heartbeat=50ms")
	c := s.accept() // at first, the first one refuses
	swallow(t, first)
	for range 3 {
		c.welcome(1, `{"session":"s"}`)
		c.pings(25) // for longer than the second that makes a host one that works
		c.close()
		c = s.accept()
	}
	c.welcome(1, `{"session":"s"}`)
	p.stop(c)
}

// swallow listens at an IPv4 address with a full backlog, so that the kernel drops what asks
// to connect. It returns the port.
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

// TestLineAndClose: a server that sends one line and closes is not dialled ever again as
// fast as it can.
func TestLineAndClose(t *testing.T) {
	t.Parallel()
	a := newCloser(t, "127.0.0.1:0", func(c net.Conn) { fmt.Fprint(c, "one\n") })
	p := run(t, "tcp://"+a.Addr().String(), "--frame=line", "--sink=discard:", "--reconnect-min=10ms", "--reconnect-max=1h")
	eventually(t, "the gateway comes back", func() bool { return a.accepted.Load() > 5 })
	time.Sleep(2 * time.Second) // what is bounded is how often it comes in this time
	// Waits whose bound doubles from 20 ms on: after ten, the bound is over ten seconds.
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

// TestConnectAttempts: so many in a row, of one host each, that do not become ready.
func TestConnectAttempts(t *testing.T) {
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

// TestConnectAttemptsStartOver with a connection that was ready.
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
