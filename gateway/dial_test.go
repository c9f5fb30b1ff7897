package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/worker/credential"
)

// listenOn listens on several addresses of this machine, all with the same port.
func listenOn(t *testing.T, hosts ...string) (port uint16, all []net.Listener) {
	t.Helper()
	for tries := range 100 {
		all = nil
		p := "0"
		for _, host := range hosts {
			ln, err := net.Listen("tcp", net.JoinHostPort(host, p))
			if err != nil {
				if tries == 99 || len(all) == 0 {
					t.Fatal(err)
				}
				break
			}
			t.Cleanup(func() { ln.Close() })
			all = append(all, ln)
			_, p, _ = net.SplitHostPort(ln.Addr().String())
		}
		if len(all) == len(hosts) {
			return netip.MustParseAddrPort(all[0].Addr().String()).Port(), all
		}
	}
	return 0, nil
}

// fullListener returns the address of a listener with a full backlog: the kernel drops SYNs.
func fullListener(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	in := name.(*unix.SockaddrInet4)
	addr := netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
	for {
		c, err := net.DialTimeout("tcp", addr.String(), 300*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
}

// testDialer resolves host names with names.
func testDialer(hosts string, names map[string]string) *dialer {
	d := newDialer(strings.Split(hosts, ","), 20*time.Second)
	d.net.lookup = func(_ context.Context, family, host string) (found []netip.Addr, err error) {
		for _, s := range strings.Fields(names[host]) {
			if a := netip.MustParseAddr(s); a.Is4() == (family == "ip4") {
				found = append(found, a)
			}
		}
		if len(found) == 0 {
			err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return found, err
	}
	return &d
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestDeadAddress: an address that drops packets costs its head start, not the connect timeout,
// and leaks no descriptor.
func TestDeadAddress(t *testing.T) {
	hole := fullListener(t)
	port, _ := listenOn(t, "127.0.0.2")
	d := testDialer("h:1", map[string]string{"h": "127.0.0.1 127.0.0.2"})
	real := d.net.connect
	d.net.connect = func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		if a.Addr() == hole.Addr() {
			return real(ctx, hole)
		}
		return real(ctx, netip.AddrPortFrom(a.Addr(), port))
	}
	before := descriptors(t)
	began := time.Now()
	r := d.dial(t.Context())
	if r.err != nil || !strings.HasPrefix(r.addr, "127.0.0.2:") {
		t.Fatalf("%+v", r)
	}
	if took := time.Since(began); took < attemptDelay || took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	r.sock.close()
	// The server's end has no descriptor, because it is not accepted.
	if now := descriptors(t); now > before+1 { // the runtime may have opened its poller
		t.Errorf("%d descriptors, %d before", now, before)
	}
	if d.addresses.work(r.target); d.addresses.pick(0, false)[0] != r.target.addr {
		t.Error("the address that worked is not the first of the next race")
	}
}

// TestDialBothFamilies: a server that listens on one address family is found if the other is
// refused.
func TestDialBothFamilies(t *testing.T) {
	for listen, other := range map[string]string{"127.0.0.1": "::1", "::1": "127.0.0.1"} {
		port, _ := listenOn(t, listen)
		d := testDialer(net.JoinHostPort("h", itoa(port)), map[string]string{"h": listen + " " + other})
		r := d.dial(t.Context())
		if r.err != nil {
			t.Fatal(r.err)
		}
		r.sock.close()
		if got := netip.MustParseAddrPort(r.addr).Addr().String(); got != listen {
			t.Errorf("connected to %s, want %s", got, listen)
		}
	}
}

func itoa(port uint16) string {
	_, s, _ := net.SplitHostPort(netip.AddrPortFrom(netip.IPv4Unspecified(), port).String())
	return s
}

// TestDialAfterFailedHandshake: if the TLS handshake fails, the address has failed, and the same
// dial tries the other addresses of the name.
func TestDialAfterFailedHandshake(t *testing.T) {
	port, all := listenOn(t, "127.0.0.1", "127.0.0.2")
	for _, ln := range all {
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
	}
	d := testDialer(net.JoinHostPort("h", itoa(port)), map[string]string{"h": "127.0.0.1 127.0.0.2"})
	d.secure, d.tls = true, credential.SystemTLS(TLSFlags)
	r := d.dial(t.Context())
	if r.err == nil || !strings.Contains(r.err.Error(), "(127.0.0.1:") || !strings.Contains(r.err.Error(), "(127.0.0.2:") {
		t.Errorf("error %v, want one of each address", r.err)
	}
	if d.attempts != 1 || d.addresses.untried() {
		t.Errorf("%d attempts at one host; untried %v", d.attempts, d.addresses.untried())
	}
}

// TestAttemptsAreCounted: each host counts as one attempt, and a dial ends at the limit.
func TestAttemptsAreCounted(t *testing.T) {
	for limit, want := range map[int][]int{0: {3, 6, 9}, 2: {2}, 4: {3, 4}} {
		d := testDialer("a:1,b:1,nowhere:1", map[string]string{"a": "::9 1.0.0.1 1.0.0.2", "b": "1.0.0.3"})
		d.limit = limit
		d.net.connect = func(context.Context, netip.AddrPort) (net.Conn, error) { return nil, errRefused }
		var got []int
		for len(got) < len(want) && !d.exhausted() {
			if r := d.dial(t.Context()); r.err == nil || strings.Contains(r.err.Error(), "\n") {
				t.Errorf("error %v", r.err)
			}
			got = append(got, d.attempts)
		}
		if !slices.Equal(got, want) || d.exhausted() != (limit > 0) {
			t.Errorf("limit %d: attempts %v, want %v; exhausted %v", limit, got, want, d.exhausted())
		}
	}
}

// TestDialCancelled: an address has not failed if a drain cancelled the dial.
func TestDialCancelled(t *testing.T) {
	d := testDialer("a:1,b:1", map[string]string{"a": "1.0.0.1", "b": "1.0.0.2"})
	ctx, cancel := context.WithCancel(t.Context())
	d.net.connect = func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if r := d.dial(ctx); !errors.Is(r.err, context.Canceled) || d.attempts != 1 || len(d.addresses.pick(0, false)) != 1 {
		t.Errorf("error %v after %d attempts, untried %v", r.err, d.attempts, d.addresses.pick(0, false))
	}
}

// TestKeepAlive: idle time and probes, if each is an eighth late, take at most 45 s.
func TestKeepAlive(t *testing.T) {
	port, _ := listenOn(t, "127.0.0.1")
	d := testDialer(net.JoinHostPort("h", itoa(port)), map[string]string{"h": "127.0.0.1"})
	r := d.dial(t.Context())
	if r.err != nil {
		t.Fatal(r.err)
	}
	defer r.sock.close()
	fd := r.sock.(*socket).fd
	option := func(level, name int) int {
		t.Helper()
		v, err := unix.GetsockoptInt(fd, level, name)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	idle, interval, count := option(unix.SOL_TCP, unix.TCP_KEEPIDLE), option(unix.SOL_TCP, unix.TCP_KEEPINTVL), option(unix.SOL_TCP, unix.TCP_KEEPCNT)
	if option(unix.SOL_SOCKET, unix.SO_KEEPALIVE) == 0 || 9*(idle+interval*count) > 8*45 {
		t.Errorf("%d s idle, then %d probes %d s apart", idle, count, interval)
	}
}
