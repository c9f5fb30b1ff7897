package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestWebSocketHandshakeHasTheHeaders(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	p := run(t, "ws://"+ln.Addr().String()+"/feed/live?from=1&x=%20y", "--exit-on-close",
		"--ws-header=X-Key: one", "--ws-header=X-Other: two", "--ws-subprotocol=feed.v1", "--ws-origin=https://example.test")
	c := acceptWS(t, ln, "feed.v1")
	h := c.request.Header
	if uri := c.request.RequestURI; uri != "/feed/live?from=1&x=%20y" {
		t.Errorf("request %q", uri)
	}
	for name, want := range map[string]string{"X-Key": "one", "X-Other": "two",
		"Sec-WebSocket-Protocol": "feed.v1", "Origin": "https://example.test"} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if c.request.Host != ln.Addr().String() {
		t.Errorf("Host: %q", c.request.Host)
	}
	c.leave()
	p.exit(0)
}

// TestWebSocketMessages: fragments are joined, an ack has the type of its message, and pings
// between fragments are answered.
func TestWebSocketMessages(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	ln := listen(t, 0)
	p := run(t, "ws://"+ln.Addr().String()+"/", "--ack-template=A{n}", "--ack=ordered", "--workers=1", "--exit-on-close",
		"--hello=hi", sink.flag())
	c := acceptWS(t, ln, "")
	c.expect(wsText, "hi")
	c.send(wsFinal|wsText, "text")
	c.expect(wsText, "A1")
	c.send(wsFinal|wsBinary, "bin")
	c.expect(wsBinary, "A2")
	c.send(wsText, "one, ")
	c.send(wsContinuation, "two, ")
	c.send(wsFinal|wsPing, "are you there")
	c.expect(wsPong, "are you there")
	c.send(wsContinuation, "")
	c.send(wsFinal|wsContinuation, "three")
	c.expect(wsText, "A3")
	c.send(wsFinal|wsPong, "unasked")
	long := strings.Repeat("long ", 30_000)
	c.send(wsFinal|wsBinary, long)
	c.expect(wsBinary, "A4")
	c.send(wsFinal|wsText, "")
	c.expect(wsText, "A5")
	c.send(wsFinal|wsClose, "")
	c.closed()
	c.hangUp()
	p.exit(0)
	sink.holds(t, "text", "bin", "one, two, three", long, "")
}

// TestWebSocketCleanCloseAcksFirst: codes 1000 and 1001, or none, are a clean close. Messages in
// flight are acked before Close is answered.
func TestWebSocketCleanCloseAcksFirst(t *testing.T) {
	t.Parallel()
	for _, code := range []string{closeCode(1000), closeCode(1001), ""} {
		t.Run(fmt.Sprintf("%x", code), func(t *testing.T) {
			t.Parallel()
			kids, door := newChildren(t), newGate(t)
			ln := listen(t, 0)
			p := run(t, "ws://"+ln.Addr().String()+"/", "--ack-template=A{n}", "--ack=ordered", "--workers=1", "--exit-on-close", kids.sink(t))
			c := acceptWS(t, ln, "")
			c.sendBytes(bytes.Join([][]byte{wsFrame(wsFinal|wsText, door.wait()), wsFrame(wsFinal|wsText, "two"),
				wsFrame(wsFinal|wsClose, code)}, nil))
			eventually(t, "the child waits", func() bool { return len(kids.deliveries(t)) == 1 })
			door.open(t)
			c.expect(wsText, "A1")
			c.expect(wsText, "A2")
			c.closed()
			c.hangUp()
			p.exit(0)
		})
	}
}

func TestWebSocketOtherCloseReconnects(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	p := run(t, "ws://"+ln.Addr().String()+"/", "--exit-on-close")
	c := acceptWS(t, ln, "")
	c.send(wsFinal|wsClose, closeCode(1011))
	c.closed()
	c.hangUp()
	c = acceptWS(t, ln, "")
	// The end of the stream without Close is a lost connection.
	c.hangUp()
	c = acceptWS(t, ln, "")
	c.leave()
	p.exit(0)
}

// TestWebSocketErrorsReconnect: the gateway sends Close with the code of RFC 6455, counts the
// error, and reconnects.
func TestWebSocketErrorsReconnect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bytes  []byte
		code   uint16
		reason string
	}{
		"bad UTF-8":                  {wsFrame(wsFinal|wsText, "\xff\xfe"), 1007, "bad_utf8"},
		"beyond 64 MiB":              {[]byte{wsFinal | wsBinary, 127, 0, 0, 0, 0, 4, 0, 0, 1}, 1009, "too_large"},
		"beyond 64 MiB in fragments": {append(wsFrame(wsBinary, "x"), wsFinal|wsContinuation, 127, 0, 0, 0, 0, 4, 0, 0, 0), 1009, "too_large"},
		"too many empty fragments":   {append(wsFrame(wsBinary, ""), bytes.Repeat(wsFrame(wsContinuation, ""), 65_536)...), 1009, ""},
		"masked by the server":       {[]byte{wsFinal | wsText, wsMasked | 1, 0, 0, 0, 0, 'x'}, 1002, "ws"},
		"reserved bit":               {wsFrame(wsFinal|0x40|wsText, "x"), 1002, "ws"},
		"unknown op":                 {wsFrame(wsFinal|3, "x"), 1002, "ws"},
		"continuation of nothing":    {wsFrame(wsFinal|wsContinuation, "x"), 1002, "ws"},
		"message in a message":       {append(wsFrame(wsText, "x"), wsFrame(wsFinal|wsText, "y")...), 1002, "ws"},
		"fragmented ping":            {wsFrame(wsPing, "x"), 1002, "ws"},
		"long ping":                  {wsFrame(wsFinal|wsPing, strings.Repeat("x", 126)), 1002, "ws"},
		"close payload of one byte":  {wsFrame(wsFinal|wsClose, "x"), 1002, "ws"},
		"close code that may not be": {wsFrame(wsFinal|wsClose, closeCode(1005)), 1002, "ws"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, 0)
			p := run(t, "ws://"+ln.Addr().String()+"/", "--max-message=1KiB", "--memory=64KiB", "--exit-on-close")
			conn := acceptWS(t, ln, "")
			conn.sendBytes(c.bytes)
			if got := conn.closed(); got != c.code {
				t.Errorf("Close %d, want %d", got, c.code)
			}
			conn.hangUp()
			conn = acceptWS(t, ln, "")
			if c.reason != "" {
				p.protocolErrors(1, c.reason)
			}
			p.waitMetric(1, "feedgate_protocol_errors_total")
			conn.leave()
			p.exit(0)
		})
	}
}

// TestWebSocketHeaderHasTheToken: in place of {token}. The log does not have it.
func TestWebSocketHeaderHasTheToken(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	p := run(t, "ws://"+ln.Addr().String()+"/", "--ws-header=Authorization: Bearer {token}", "--exit-on-close",
		"--token-file="+tokenFile(t, "s3cret\r\n", 0o600))
	c := acceptWS(t, ln, "")
	if got := c.request.Header.Get("Authorization"); got != "Bearer s3cret" {
		t.Errorf("Authorization: %q", got)
	}
	c.leave()
	p.exit(0)
	if log := p.stderr.String(); strings.Contains(log, "s3cret") || strings.Contains(log, "is not sent") {
		t.Errorf("log: %s", log)
	}
}

// TestWebSocketTokenHeaderNeedsAToken: if it is missing, or would begin another header, that is a
// usage error that names the flag.
func TestWebSocketTokenHeaderNeedsAToken(t *testing.T) {
	header := "--ws-header=Authorization: Bearer {token}"
	for _, c := range []struct{ want, arg string }{
		{"--ws-header: {token} needs --token-file", "--workers=1"},
		{"--token-file: the secret holds a control character", "--token-file=" + tokenFile(t, "a\r\nX: b\n", 0o600)},
	} {
		p := run(t, "ws://127.0.0.1:1/", header, c.arg)
		p.exit(2)
		if log := p.stderr.String(); !strings.Contains(log, c.want) {
			t.Errorf("want %q in: %s", c.want, log)
		}
	}
}
