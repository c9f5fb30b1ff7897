package e2e

import (
	"net"
	"strings"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit/netpath"
	"feedgate/gateway/tlstest"
)

// TestDeadPathWithDefaults: a path is cut under load, or with hardly any, with the defaults of both
// sides. The connection ends within 2 s of the 25 s of --idle-timeout.
func TestDeadPathWithDefaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute; make test-long runs it, TestDeadPathUnderLoad has 3 s instead of 25")
	}
	t.Parallel()
	deadPathFG(t, map[string]string{"loaded": "0", "idle": "0.01"}, 25*time.Second)
}

// TestDeadPathUnderLoad: the same under load, with a shorter --idle-timeout.
func TestDeadPathUnderLoad(t *testing.T) {
	t.Parallel()
	deadPathFG(t, map[string]string{"loaded": "0"}, pathIdle, "--idle-timeout="+pathIdle.String())
}

// deadPathFG cuts paths between gateways and feeds of 64-byte messages over FG/1, at each rate,
// with and without TLS.
func deadPathFG(t *testing.T, rates map[string]string, idle time.Duration, more ...string) {
	for name, rate := range rates {
		for _, secure := range []bool{false, true} {
			if secure {
				name += ", TLS"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				path := netpath.New(t)
				// A large receive buffer, as on a longer path: it then has messages whose acks exceed the
				// buffers of the gateway and its TCP.
				path.Ends[0].Set("ipv4/tcp_rmem", "4096 4194304 33554432")
				address := net.JoinHostPort(path.Ends[1].Addr.String(), "7000")
				serve := []string{"feed", "--listen=" + address, "--rate=" + rate, "--heartbeat=1s"}
				url := "fg://" + address
				args := append([]string{"--admin=", "--sink=spin:20us", "--workers=2"}, more...)
				if secure {
					ca := tlstest.NewAuthority(t)
					cert, key := ca.Files(ca.Issue(tlstest.For("feed.test")))
					serve = append(serve, "--tls-cert="+cert, "--tls-key="+key)
					url = "fg+tls://" + address
					args = append(args, "--tls-ca="+ca.File, "--tls-server-name=feed.test")
				}
				var p *process
				path.Ends[1].Do(func() { start(t, launch{args: serve}).waitLog("listening on") })
				path.Ends[0].Do(func() { p = run(t, append(args, url)...) })
				p.waitLog("logged in")
				time.Sleep(2 * time.Second) // until buffers are full
				endsAfterCut(t, p, path, idle, "--idle-timeout "+idle.String())
			})
		}
	}
}

// TestHostGone: without --idle-timeout, and with no unacknowledged data, TCP keepalive ends the connection.
func TestHostGone(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 45 s; make test-long runs it")
	}
	t.Parallel()
	path := netpath.New(t)
	var s *tcpServer
	path.Ends[1].Do(func() { s = &tcpServer{t: t, ln: listenAt(t, net.JoinHostPort(path.Ends[1].Addr.String(), "0"), 0)} })
	var p *process
	path.Ends[0].Do(func() { p = run(t, s.url(), "--frame=line", `--ack-template=A{n}\n`, "--admin=") })
	c := s.accept()
	c.send([]byte("one\n"))
	c.expect("A1\n")
	endsAfterCut(t, p, path, 45*time.Second, "connection timed out")
}

// endsAfterCut cuts a path and waits until the gateway ends its connection.
func endsAfterCut(t *testing.T, p *process, path *netpath.Path, limit time.Duration, why string) {
	t.Helper()
	if strings.Contains(p.stderr.String(), "connection lost") {
		t.Fatal("the connection is lost before the path is cut")
	}
	path.Cut()
	cut := time.Now()
	for !strings.Contains(p.stderr.String(), "connection lost") {
		if time.Since(cut) > limit+patience {
			t.Fatalf("kept for %v", time.Since(cut))
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("%s: ended %.2f s after the cut, documented bound %v", t.Name(), time.Since(cut).Seconds(), limit)
	p.waitLog(why)
}
