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

// TestForeignProtocolIsDetected: even before the server has sent as much as a frame's header.
func TestForeignProtocolIsDetected(t *testing.T) {
	t.Parallel()
	const alert = "\x15\x03\x01\x00\x02\x02\x46" // protocol_version, OpenSSL's response to plaintext
	send := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = fmt.Fprint(c, text)
			_, _ = c.Read(make([]byte, 1<<10)) // the gateway's login
		}
	}
	for name, c := range map[string]struct {
		scheme string
		answer func(net.Conn)
		words  []string
		reason string
	}{
		"fg at a line server": {"fg", send("220 hi\r\n"), []string{"does not look like FG/1", "text"}, "login"},
		"fg at an HTTP server": {"fg", send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
			[]string{"does not look like FG/1", "HTTP"}, "login"},
		"fg at a TLS server":        {"fg", send(alert), []string{"does not look like FG/1", "TLS"}, "login"},
		"ws at a TLS alert":         {"ws", send(alert), []string{"is TLS, not HTTP", "wss"}, "login"},
		"fg+tls at a line server":   {"fg+tls", send("220 hi\r\n"), []string{"does not speak TLS", "text"}, "tls"},
		"wss at a plaintext server": {"wss", send("HTTP/1.1 400 Bad Request\r\n\r\n"), []string{"does not speak TLS", "HTTP"}, "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCloser(t, "127.0.0.1:0", c.answer)
			p := run(t, c.scheme+"://"+s.Addr().String(), "--sink=discard:")
			p.waitLog(c.words...)
			eventually(t, "the protocol error is counted", func() bool { return p.metric("feedgate_protocol_errors_total", "reason", c.reason) > 0 })
			if n := p.metric("feedgate_protocol_errors_total", "reason", "unknown_op"); n > 0 {
				t.Errorf("%v times unknown_op", n)
			}
			p.signal(syscall.SIGTERM)
			p.exit(0)
		})
	}
}

// TestAckModeNoLongerOfferedIsRetried: after a successful login, a server that does not offer the
// ack mode is a temporary fault.
func TestAckModeNoLongerOfferedIsRetried(t *testing.T) {
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

// TestAckModeNeverOfferedEndsTheGateway: at the first login.
func TestAckModeNeverOfferedEndsTheGateway(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, `{"session":"a"}`, "--ack=range", "--sink=discard:")
	if _, last := c.untilBye(); last.code != 2 {
		t.Errorf("%v, want BYE 2", last)
	}
	c.close()
	p.exit(1)
}

// TestByeRequiresCloseNotify: over TLS, BYE is a clean close only if close_notify follows.
func TestByeRequiresCloseNotify(t *testing.T) {
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

// TestServerNeedNotWaitForBye: a server that closes right after its own BYE has closed cleanly.
func TestServerNeedNotWaitForBye(t *testing.T) {
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

// TestRepeatedFailuresAreSummedUp: the first failure is logged at once, repetitions once per second with
// their number.
func TestRepeatedFailuresAreSummedUp(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	p := run(t, "fg://"+deadAddress(), "--sink=discard:", "--reconnect-min=1ms", "--reconnect-max=5ms")
	p.waitLog("cannot connect", "times=")
	p.signal(syscall.SIGTERM)
	p.exit(0)
	log := p.stderr.String()
	// The first line, one per second, and the rest at the end.
	if n, most := strings.Count(log, "cannot connect"), 3+int(time.Since(begun)/time.Second); n > most {
		t.Errorf("%d lines, want %d at most", n, most)
	}
}

// TestIPv6ZoneInAURL: with or without an escaped percent sign.
func TestIPv6ZoneInAURL(t *testing.T) {
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
