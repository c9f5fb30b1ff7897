package e2e

import (
	"net"
	"strings"
	"syscall"
	"testing"
)

// deadAddress returns an address on which nothing listens, so that connections are refused.
func deadAddress() string { return freshAddress() }

func TestUnansweredHelloTimesOut(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	p := run(t, s.url(), "--connect-timeout=1s")
	for range 2 {
		c := s.accept()
		c.hello()
		c.leave()
	}
	p.waitLog(s.ln.Addr().String())
	c := s.accept()
	c.welcome(1, "{}")
	c.send(data(1, "at last"))
	c.acked(1)
	p.stop(c)
}

func TestUnreachableServerIsRetried(t *testing.T) {
	t.Parallel()
	address := deadAddress()
	p := run(t, "fg://"+address)
	p.waitLog(address)
	if status, _ := p.get("/ready"); p.running() && status == 200 {
		t.Error("/ready is 200 without a server")
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &fgServer{t: t, ln: ln.(*net.TCPListener)}
	t.Cleanup(func() { ln.Close() })
	c := s.accept()
	c.welcome(1, "{}")
	p.stop(c)
}

func TestSignalEndsARetryingGateway(t *testing.T) {
	t.Parallel()
	address := deadAddress()
	p := run(t, "fg://"+address, "--exit-on-close", "--reconnect-min=1h", "--reconnect-max=1h")
	p.waitLog(address)
	p.signal(syscall.SIGTERM)
	p.exit(0)
}

func TestUnknownHostNameIsRetried(t *testing.T) {
	t.Parallel()
	p := run(t, "fg://feed.invalid:4000")
	p.waitLog("feed.invalid")
	p.signal(syscall.SIGTERM)
	p.exit(0)
}

// TestEveryAddressOfANameIsTried: localhost may have ::1 first, on which nothing listens.
func TestEveryAddressOfANameIsTried(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	_, port, err := net.SplitHostPort(s.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := run(t, "fg://localhost:"+port)
	c := s.accept()
	c.welcome(1, "{}")
	p.stop(c)
}

func TestFailoverToTheNextHost(t *testing.T) {
	t.Parallel()
	first, second := listenFG(t), listenFG(t)
	dead := deadAddress()
	p := run(t, "fg://"+dead+","+first.ln.Addr().String()+","+second.ln.Addr().String(), "--exit-on-close")
	c := first.accept()
	c.welcome(1, `{"session":"shared"}`)
	c.send(data(1, "one"))
	c.acked(1)
	first.ln.Close()
	c.close()
	c = second.accept()
	if seq, h := c.welcome(2, `{"session":"shared"}`); seq != 1 || *h.Session != "shared" {
		t.Errorf("HELLO seq %d session %q at the next host", seq, *h.Session)
	}
	c.send(data(2, "two"))
	c.acked(2)
	c.finish(0, 0)
	p.exit(0)
	if !strings.Contains(p.stderr.String(), dead) {
		t.Error("standard error does not name the host that cannot be reached")
	}
}

// TestSeveralUpstreamsShareTheSink: each URL has its own gateway.
func TestSeveralUpstreamsShareTheSink(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	first, second := listenFG(t), listenFG(t)
	p := run(t, first.url(), second.url(), "--exit-on-close", "--workers=1", sink.flag())
	a, b := first.accept(), second.accept()
	a.welcome(1, `{"session":"a"}`)
	b.welcome(1, `{"session":"b"}`)
	a.send(data(1, "from a"))
	a.acked(1)
	b.send(data(1, "from b"))
	b.acked(1)
	for _, s := range []*fgServer{first, second} {
		if n := p.metric("feedgate_messages_total", "upstream", s.url()); n != 1 {
			t.Errorf("feedgate_messages_total{upstream=%q} is %v", s.url(), n)
		}
	}
	a.finish(0, 0)
	b.send(data(2, "b continues"))
	b.acked(2)
	b.finish(0, 0)
	p.exit(0)
	sink.holds(t, "from a", "from b", "b continues")
}

func TestWorstExitStatusCounts(t *testing.T) {
	t.Parallel()
	good, bad := listenFG(t), listenFG(t)
	p := run(t, good.url(), bad.url(), "--exit-on-close")
	g, b := good.accept(), bad.accept()
	g.welcome(1, "{}")
	b.hello()
	b.send(bye(4))
	b.leave()
	g.send(data(1, "one"))
	g.acked(1)
	g.finish(0, 0)
	p.exit(1)
}
