package e2e

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
)

// TestForeignServer: a server of another protocol is called that, before it has sent as
// much as a frame's header.
func TestForeignServer(t *testing.T) {
	t.Parallel()
	const alert = "\x15\x03\x01\x00\x02\x02\x46" // protocol_version, as OpenSSL answers what is not TLS
	say := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = fmt.Fprint(c, text)
			_, _ = c.Read(make([]byte, 1<<10)) // what the gateway says first
		}
	}
	for name, c := range map[string]struct {
		scheme string
		answer func(net.Conn)
		words  []string
		reason string
	}{
		"fg at a line server": {"fg", say("220 hi\r\n"), []string{"does not look like FG/1", "text"}, "login"},
		"fg at an HTTP server": {"fg", say("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
			[]string{"does not look like FG/1", "HTTP"}, "login"},
		"fg at a TLS server":        {"fg", say(alert), []string{"does not look like FG/1", "TLS"}, "login"},
		"ws at a TLS alert":         {"ws", say(alert), []string{"is TLS, not HTTP", "wss"}, "login"},
		"fg+tls at a line server":   {"fg+tls", say("220 hi\r\n"), []string{"does not speak TLS", "text"}, "tls"},
		"wss at a plaintext server": {"wss", say("HTTP/1.1 400 Bad Request\r\n\r\n"), []string{"does not speak TLS", "HTTP"}, "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCloser(t, "127.0.0.1:0", c.answer)
			p := run(t, c.scheme+"://"+s.Addr().String(), "--sink=discard:")
			p.waitLog(c.words...)
			eventually(t, "it is counted", func() bool { return p.metric("feedgate_protocol_errors_total", "reason", c.reason) > 0 })
			if n := p.metric("feedgate_protocol_errors_total", "reason", "unknown_op"); n > 0 {
				t.Errorf("%v times unknown_op", n)
			}
			p.signal(syscall.SIGTERM)
			p.exit(0)
		})
	}
}

// TestAckModeOfferedOnce: once a connection got further, a server that does not offer the
// ack mode is a passing fault.
func TestAckModeOfferedOnce(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, `{"session":"a","acks":["each","range"]}`, "--ack=range", "--sink=discard:")
	c.close()
	c = s.accept()
	c.welcome(1, `{"session":"a","acks":["each"]}`)
	if _, last := c.untilBye(); last.code != 2 {
		t.Errorf("%v, want BYE 2", last)
	}
	c.close()
	c = s.accept()
	c.welcome(1, `{"session":"a","acks":["range"]}`)
	p.waitLog("--ack")
	p.stop(c)
}

// TestAckModeNeverOffered ends the gateway.
func TestAckModeNeverOffered(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, `{"session":"a"}`, "--ack=range", "--sink=discard:")
	if _, last := c.untilBye(); last.code != 2 {
		t.Errorf("%v, want BYE 2", last)
	}
	c.close()
	p.exit(1)
}

// TestGoodbyeNeedsCloseNotify: under TLS, BYE and Close are a clean close only with
// close_notify behind them.
func TestGoodbyeNeedsCloseNotify(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	config := ca.Server()
	ln := listen(t, 0)
	p := run(t, "fg+tls://"+ln.Addr().String(), "--sink=discard:", "--exit-on-close", "--tls-ca="+ca.File)
	for _, notify := range []bool{false, true} {
		conn, raw, err := acceptTLS(t, ln, config)
		if err != nil {
			t.Fatal(err)
		}
		c := overTLS(t, conn, raw)
		c.welcome(1, `{"session":"a"}`)
		c.send(data(1, "one"))
		c.acked(1)
		c.send(bye(0))
		if _, last := c.untilBye(); last.code != 0 {
			t.Errorf("%v", last)
		}
		if notify {
			c.close()
		} else if err := raw.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p.exit(0)
	p.waitLog("close_notify")
}

// TestGoodbyeAndGone: a server that does not wait for our goodbye has closed cleanly, and
// lost nothing.
func TestGoodbyeAndGone(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	config := ca.Server()
	for _, secure := range []bool{false, true} {
		for range 10 {
			s := listenFG(t)
			url, args := s.url(), []string{"--sink=discard:", "--exit-on-close"}
			if secure {
				url, args = "fg+tls://"+s.ln.Addr().String(), append(args, "--tls-ca="+ca.File)
			}
			p := run(t, append(args, url)...)
			var c *fgConn
			if secure {
				conn, raw, err := acceptTLS(t, s.ln, config)
				if err != nil {
					t.Fatal(err)
				}
				c = overTLS(t, conn, raw)
			} else {
				c = s.accept()
			}
			c.welcome(1, `{"session":"a"}`)
			c.send(data(1, "one"))
			c.acked(1)
			c.send(bye(0))
			c.close()
			p.exit(0)
			if strings.Contains(p.stderr.String(), "connection lost") {
				t.Error("the close is logged as a lost connection")
			}
		}
	}
}

// TestConnectionFailuresAreCounted: what repeats is logged at once, then once a second
// with its count.
func TestConnectionFailuresAreCounted(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	p := run(t, "fg://"+deadAddress(), "--sink=discard:", "--reconnect-min=1ms", "--reconnect-max=5ms")
	p.waitLog("cannot connect", "times=")
	p.signal(syscall.SIGTERM)
	p.exit(0)
	log := p.stderr.String()
	// The first line, one a second, and the rest at the end.
	if n, most := strings.Count(log, "cannot connect"), 3+int(time.Since(begun)/time.Second); n > most {
		t.Errorf("%d lines, at most %d are due", n, most)
	}
}

// TestIPv6Zone in a URL.
func TestIPv6Zone(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	t.Cleanup(func() { ln.Close() })
	for _, zone := range []string{"%25lo", "%lo"} {
		p := run(t, "tcp://[::1"+zone+"]:"+portOf(t, ln), "--frame=line", `--ack-template=A{n}\n`, "--ack=ordered", "--workers=1",
			"--sink=discard:", "--exit-on-close")
		serveLines(t, ln)
		p.exit(0)
		p.waitLog("[::1%lo]:" + portOf(t, ln))
	}
}

func TestHostsAreChecked(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"tcp://a:1, b:2", "tcp://[fe80::1%25]x]:1", "tcp://[zz::1]:1", "tcp://a b:1"} {
		got := command(t, nil, "run", url, "--frame=line", "--sink=discard:", "--admin=")
		if got.status != 2 || !strings.Contains(got.stderr, "upstream URL") {
			t.Errorf("%s: status %d, standard error %q", url, got.status, got.stderr)
		}
	}
}
