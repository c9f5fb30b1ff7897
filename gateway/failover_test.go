package gateway

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
	"feedgate/gateway/wire"
	"feedgate/worker/backoff"
	"feedgate/worker/credential"
)

// startConn makes the connection of a loop that never connects and whose clock is at 0.
func startConn(t *testing.T, hosts string) (*conn, *idleEnv) {
	t.Helper()
	cfg := testConfig(t, "tcp://"+hosts, accept)
	cfg.ReconnectMin, cfg.ReconnectMax = 100*time.Millisecond, time.Hour
	setFlag(&cfg, "frame", "line")
	set, err := cfg.validate()
	if err != nil {
		t.Fatal(err)
	}
	w := &idleEnv{}
	l := newLoop(&cfg, set, new(Stats), w)
	t.Cleanup(l.slabs.close)
	return &l.conn, w
}

// idleEnv is an env that does nothing.
type idleEnv struct{}

func (*idleEnv) now() time.Duration               { return 0 }
func (*idleEnv) connect(context.Context, *dialer) {}
func (*idleEnv) watch(transport) error            { return nil }
func (*idleEnv) unwatch(transport)                {}
func (*idleEnv) post(func())                      {}

// TestRecordOutcome: an address has worked, and the backoff is reset, if its connection was ready
// for a second. The time after the end was noticed does not count.
func TestRecordOutcome(t *testing.T) {
	a, b := target{0, netip.MustParseAddrPort("1.0.0.1:1")}, target{1, netip.MustParseAddrPort("1.0.0.2:1")}
	for _, c := range []struct {
		name             string
		ready            bool
		from, end, judge time.Duration
		worked           bool
	}{
		{"no login", false, 0, 5 * time.Second, 5 * time.Second, false},
		{"at once", true, time.Second, time.Second, time.Second, false},
		{"nearly a second", true, time.Second, 2*time.Second - 1, 2*time.Second - 1, false},
		{"a second", true, time.Second, 2 * time.Second, 2 * time.Second, true},
		{"closed at once, worked on for long", true, time.Second, time.Second + 1, time.Hour, false},
		{"its end not noticed before", true, time.Second, 0, time.Hour, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := startConn(t, "a:1,b:1")
			k.backoff = backoff.New(100, 10_000)
			k.backoff.Draw = func(n int64) int64 { return n - 1 }
			k.backoff.NextBackOff()
			k.dialer.addresses.begin()
			k.dialer.addresses.fail(b)
			k.target = a
			if c.ready {
				k.life.begin(c.from)
			}
			if c.end > 0 {
				k.life.end(c.end)
			}
			k.recordOutcome(c.judge)
			k.dialer.addresses.begin()
			if first := k.dialer.addresses.first; (first == 0 && k.dialer.addresses.worked == a.addr) != c.worked {
				t.Errorf("the next dial starts with host %d, %v worked", first, k.dialer.addresses.worked)
			}
			if wait := k.wait(); (wait == 200) != c.worked {
				t.Errorf("the next wait is up to %v", wait)
			}
		})
	}
}

// TestWait: Retry-After extends the next wait only, never shortens it, and is limited by
// --reconnect-max.
func TestWait(t *testing.T) {
	k, _ := startConn(t, "a:1")
	k.backoff.Draw = func(n int64) int64 { return n - 1 } // the longest
	for _, c := range []struct{ asked, want time.Duration }{
		{1, 200 * time.Millisecond}, {1, 400 * time.Millisecond}, {time.Minute, time.Minute},
		{1, 1600 * time.Millisecond}, {0, 3200 * time.Millisecond}, {100 * time.Hour, time.Hour},
	} {
		k.retryAfter = c.asked
		if got := k.wait(); got != c.want {
			t.Errorf("asked to stay away for %v: %v, want %v", c.asked, got, c.want)
		}
		if k.retryAfter != 0 {
			t.Error("it is obeyed twice")
		}
	}
	k.nextRedirect = new(redirect)
	if got := k.wait(); got != 0 {
		t.Errorf("%v before a redirect is followed", got)
	}
}

// TestFollowToTLS: a redirect to TLS verifies the server's certificate, and a failure counts as
// one of the address that sent the redirect.
func TestFollowToTLS(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", ca.Server())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	trusted, err := credential.LoadTLS(TLSFlags, credential.Files{CA: ca.File})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tls   *credential.TLS
		fault string
	}{"trusted": {trusted, ""}, "unknown": {credential.SystemTLS(TLSFlags), "--tls-ca"}} {
		t.Run(name, func(t *testing.T) {
			d := newDialer([]string{"127.0.0.1:1"}, 20*time.Second)
			d.tls = c.tls
			d.addresses.begin()
			from := target{0, netip.MustParseAddrPort("127.0.0.1:1")}
			d.redirect = &redirect{wire.Redirect{HostPort: ln.Addr().String(), Secure: true, Target: "/"}, from}
			r := d.dial(t.Context())
			if r.err == nil {
				r.sock.close()
			}
			if (r.err == nil) != (c.fault == "") || r.err != nil && !strings.Contains(r.err.Error(), c.fault) {
				t.Errorf("error %v, want %q", r.err, c.fault)
			}
			if r.target != from || d.addresses.untried() != (c.fault == "") {
				t.Errorf("it counts for %v; untried %v", r.target, d.addresses.untried())
			}
		})
	}
}

// TestServerThatLasts: a server whose connection lasted is dialled again before any other.
func TestServerThatLasts(t *testing.T) {
	first, second := newTestServer(t), newTestServer(t)
	cfg := testConfig(t, "tcp://"+first.ln.Addr().String()+","+second.ln.Addr().String(), accept)
	cfg.ExitOnClose = false
	setFlag(&cfg, "frame", "line")
	r := start(t, cfg)
	lost := func(c *net.TCPConn) {
		_ = c.SetLinger(0)
		c.Close()
	}
	lost(first.accept())
	c := second.accept()
	waitFor(t, r.g.Stats().Connected.Load)
	time.Sleep(stableAfter + 100*time.Millisecond) // it has to last
	lost(c)
	lost(second.accept())
	c = first.accept()
	r.cancel()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	c.Close()
}
