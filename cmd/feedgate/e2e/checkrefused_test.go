package e2e

import (
	"io"
	"net/http"
	"testing"
)

// TestCheckFindsRefusedLoginsFG1: with the flag that helps. tcp has no login that check could try.
func TestCheckFindsRefusedLoginsFG1(t *testing.T) {
	t.Parallel()
	token := "--token-file=" + tokenFile(t, "s3cret", 0o600)
	t.Run("BYE", func(t *testing.T) {
		t.Parallel()
		s := listenFG(t)
		p := startCheck(t, s.url(), token)
		c := s.accept()
		c.hello()
		c.send(bye(4))
		c.leave()
		p.finding(1, "failed: "+s.url()+": "+s.ln.Addr().String()+": the server refused the token; see --token-file")
	})
	t.Run("without the ack mode", func(t *testing.T) {
		t.Parallel()
		s := listenFG(t)
		p := startCheck(t, s.url(), "--ack=range")
		c := s.accept()
		c.welcome(1, "{}")
		if _, last := c.untilBye(); last.code != 2 {
			t.Errorf("BYE %d", last.code)
		}
		c.close()
		p.finding(1, `the server does not accept "range" acks; see --ack`)
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		s := listenFG(t)
		p := startCheck(t, s.url(), token)
		c := s.accept()
		c.hello()
		c.close()
		p.finding(1, " during the login", "see --token-file and the URL's scheme")
	})
}

// TestCheckFindsRefusedLoginsWebSocket: a redirect is followed once.
func TestCheckFindsRefusedLoginsWebSocket(t *testing.T) {
	t.Parallel()
	token := "--token-file=" + tokenFile(t, "s3cret", 0o600)
	t.Run("status", func(t *testing.T) {
		t.Parallel()
		s := listenTCP(t)
		p := startCheck(t, "ws://"+s.ln.Addr().String()+"/x", token, "--ws-header=Authorization: Bearer {token}")
		c := s.accept()
		c.send([]byte("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"))
		_, _ = io.Copy(io.Discard, c.timed())
		c.close()
		p.finding(1, ": the server answered 401 "+http.StatusText(http.StatusUnauthorized)+", not 101; --ws-header sends credentials")
	})
	t.Run("elsewhere", func(t *testing.T) {
		t.Parallel()
		s, ln := listenTCP(t), listen(t, 0)
		p := startCheck(t, "ws://"+s.ln.Addr().String()+"/x")
		c := s.accept()
		c.send([]byte("HTTP/1.1 307 Temporary Redirect\r\nLocation: ws://" + ln.Addr().String() + "/y\r\nContent-Length: 0\r\n\r\n"))
		w := acceptWS(t, ln, "")
		if w.request.URL.Path != "/y" {
			t.Errorf("path %s", w.request.URL.Path)
		}
		w.closed()
		w.hangUp()
		c.close()
		p.finding(0, "connected to "+ln.Addr().String()+", where "+s.ln.Addr().String()+" redirects to, WebSocket 13")
	})
}

// TestCheckFindsRefusedLoginsNSQ: also that of a server that wants TLS.
func TestCheckFindsRefusedLoginsNSQ(t *testing.T) {
	t.Parallel()
	token := "--token-file=" + tokenFile(t, "s3cret", 0o600)
	for name, answer := range map[string]struct {
		identify string
		args     []string
	}{
		"refused":    {`{"auth_required":true}`, []string{token}},
		"no secret":  {`{"auth_required":true}`, nil},
		"TLS wanted": {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, 0)
			p := startCheck(t, append(answer.args, "nsq://"+ln.Addr().String()+"/t/c")...)
			if answer.identify == "" {
				c := &tcpConn{TCPConn: accept(t, ln), t: t}
				c.close()
				p.finding(1, " during the login", "(nsq+tls://)")
				return
			}
			c, _ := acceptNSQ(t, ln, answer.identify)
			if answer.args != nil {
				c.command("AUTH")
				c.body()
				c.frame(nsqError, "E_AUTH_FAILED AUTH failed for s3cret")
			}
			c.leaves()
			p.finding(1, "see --token-file")
		})
	}
}
