package e2e

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answerWS accepts the gateway's next connection, reads its request, sends a response and waits for
// the gateway to close. It returns the request target and the time of the response.
func answerWS(t *testing.T, ln *net.TCPListener, answer string) (target string, sent time.Time) {
	t.Helper()
	conn := accept(t, ln)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	request, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	sent = time.Now()
	if _, err := io.WriteString(conn, answer); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, in)
	conn.Close()
	return request.RequestURI, sent
}

func status(line, headers string) string {
	return "HTTP/1.1 " + line + "\r\n" + headers + "Content-Length: 0\r\n\r\n"
}

// TestWebSocketUnauthorizedEndsTheGateway: unless an earlier connection was established.
func TestWebSocketUnauthorizedEndsTheGateway(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"401 Unauthorized", "403 Forbidden"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, 0)
			p := run(t, "ws://"+ln.Addr().String()+"/", "--sink=discard:")
			answerWS(t, ln, status(line, ""))
			p.exit(1)
			p.waitLog(line, "--ws-header")

			p = run(t, "ws://"+ln.Addr().String()+"/", "--sink=discard:", "--exit-on-close")
			acceptWS(t, ln, "").hangUp()
			answerWS(t, ln, status(line, ""))
			c := acceptWS(t, ln, "")
			c.leave()
			p.exit(0)
			if n := strings.Count(p.stderr.String(), line); n != 1 {
				t.Errorf("%d log lines have %q", n, line)
			}
		})
	}
}

// TestWebSocketRetryAfterDelaysTheReconnect: up to --reconnect-max.
func TestWebSocketRetryAfterDelaysTheReconnect(t *testing.T) {
	t.Parallel()
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for name, answer := range map[string]string{
		"seconds": status("503 Service Unavailable", "Retry-After: 2\r\n"),
		"a date":  status("429 Too Many Requests", "Date: "+date(-time.Hour)+"\r\nRetry-After: "+date(2*time.Second-time.Hour)+"\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, 0)
			p := run(t, "ws://"+ln.Addr().String()+"/", "--sink=discard:", "--reconnect-max=15s")
			_, sent := answerWS(t, ln, answer)
			c := acceptWS(t, ln, "")
			if waited := time.Since(sent); waited < 2*time.Second {
				t.Errorf("reconnected after %v", waited)
			}
			c.hangUp()
			p.signal(syscall.SIGTERM)
			p.exit(0)
		})
	}
	t.Run("bounded", func(t *testing.T) {
		t.Parallel()
		ln := listen(t, 0)
		p := run(t, "ws://"+ln.Addr().String()+"/", "--sink=discard:")
		answerWS(t, ln, status("503 Service Unavailable", "Retry-After: 99999999999999999999\r\n"))
		answerWS(t, ln, status("503 Service Unavailable", "Retry-After: 86400\r\n"))
		acceptWS(t, ln, "").hangUp()
		p.signal(syscall.SIGTERM)
		p.exit(0)
	})
}

// TestWebSocketRedirectIsFollowedOnce: and only to the same host.
func TestWebSocketRedirectIsFollowedOnce(t *testing.T) {
	t.Parallel()
	ln, other := listen(t, 0), listen(t, 0)
	here := ln.Addr().String()
	p := run(t, "ws://"+here+"/old?token=s3cret", "--sink=discard:", "--exit-on-close", "--log-level=debug")
	step := func(want, answer string) {
		t.Helper()
		if got, _ := answerWS(t, ln, answer); got != want {
			t.Fatalf("request for %s, want %s", got, want)
		}
	}
	step("/old?token=s3cret", status("302 Found", "Location: /new?from=1#x\r\n"))
	step("/new?from=1", status("301 Moved Permanently", "Location: /further\r\n")) // the second in a row
	step("/old?token=s3cret", status("307 Temporary Redirect", "Location: http://feed.invalid/\r\n"))
	step("/old?token=s3cret", status("300 Multiple Choices", "Location: /new\r\n"))
	// Another port of the same host is the same host.
	step("/old?token=s3cret", status("308 Permanent Redirect", "Location: ws://"+other.Addr().String()+"/new\r\n"))
	c := acceptWS(t, other, "")
	if c.request.RequestURI != "/new" || c.request.Host != other.Addr().String() {
		t.Errorf("request for %s of %s", c.request.RequestURI, c.request.Host)
	}
	c.send(wsFinal|wsText, "one")
	p.waitMetric(1, "feedgate_messages_total")
	c.leave()
	p.exit(0)
	if log := p.stderr.String(); strings.Contains(log, "s3cret") || strings.Contains(log, "feed.invalid") {
		t.Error("the log quotes text that can contain a secret")
	}
	for _, want := range []string{
		"the server answered 301 Moved Permanently, not 101, a second redirect, which is not followed",
		"the server answered 307 Temporary Redirect, not 101, a redirect to another host, which is not followed",
	} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("the log does not have %q", want)
		}
	}
}

// TestWebSocketServerClosesTCPFirst: RFC 6455, section 7.1.1.
func TestWebSocketServerClosesTCPFirst(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	p := run(t, "ws://"+ln.Addr().String()+"/", "--sink=discard:", "--exit-on-close")
	c := acceptWS(t, ln, "")
	c.send(wsFinal|wsClose, closeCode(1000))
	c.closed()
	if err := c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.in.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while the server's stream is open: %v", err)
	}
	c.hangUp()
	p.exit(0)
	if strings.Contains(p.stderr.String(), "connection lost") {
		t.Error("a clean close is logged as a lost connection")
	}
}

// TestWebSocketEndsWithoutTheServersClose: after a timeout.
func TestWebSocketEndsWithoutTheServersClose(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	p := run(t, "ws://"+ln.Addr().String()+"/", "--sink=discard:", "--exit-on-close")
	c := acceptWS(t, ln, "")
	c.send(wsFinal|wsClose, closeCode(1000))
	c.closed()
	p.exit(0)
}
