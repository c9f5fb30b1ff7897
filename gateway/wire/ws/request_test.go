package ws

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
)

// parseRequest parses the hello as a server does.
func parseRequest(t wiretest.T, hello []byte) *http.Request {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(hello))
	req, err := http.ReadRequest(r)
	if err != nil {
		t.Fatalf("%v in %q", err, hello)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Fatalf("%q behind the request", rest)
	}
	return req
}

// TestRequest checks the request against the requirements of RFC 6455 4.1.
func TestRequest(t *testing.T) {
	c := mustNew(t, Config{
		Path: "/feed/a%20b?x=1&y=%23", Origin: "https://example.com", Subprotocol: "v2.feed",
		Headers: []string{"Authorization: Bearer s3cret", "X-A:1", "x-a: \t2 ", "X-Empty:"},
	}).NewConn()
	hello := c.AppendHello([]byte("+"), wire.Hello{Host: "feed.example.com:80"})
	if hello[0] != '+' {
		t.Fatal("Open does not append")
	}
	r := parseRequest(t, hello[1:])
	if r.Method != "GET" || r.RequestURI != "/feed/a%20b?x=1&y=%23" || r.Proto != "HTTP/1.1" || r.Host != "feed.example.com" {
		t.Errorf("%s %s %s for host %s", r.Method, r.RequestURI, r.Proto, r.Host)
	}
	key := r.Header.Get("Sec-WebSocket-Key")
	if nonce, err := base64.StdEncoding.DecodeString(key); err != nil || len(nonce) != 16 {
		t.Errorf("the key %q is not of 16 bytes", key)
	}
	for name, want := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": key,
		"Origin": "https://example.com", "Sec-Websocket-Protocol": "v2.feed",
		"Authorization": "Bearer s3cret", "X-A": "1|2", "X-Empty": "",
	} {
		if got := strings.Join(r.Header[name], "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		delete(r.Header, name)
	}
	if len(r.Header) > 0 {
		t.Errorf("there is more: %v", r.Header)
	}
}

// TestTokenInHeader: {token} is the secret of this connection, which cannot begin another header.
func TestTokenInHeader(t *testing.T) {
	p := mustNew(t, Config{Headers: []string{"Authorization: Bearer {token}", "X-Twice:{token},{token}", "X-B: {tok}"}})
	for _, c := range []struct{ token, auth, twice string }{
		{"s3cret", "Bearer s3cret", "s3cret,s3cret"},
		{"n\u00e9w", "Bearer n\u00e9w", "n\u00e9w,n\u00e9w"},
		{"a\r\nX-Injected: 1", "Bearer", ","},
		{"", "Bearer", ","},
	} {
		h := requestHeader(t, p.NewConn().AppendHello(nil, wire.Hello{Host: "a:1", Token: []byte(c.token)}))
		if h.Get("Authorization") != c.auth || h.Get("X-Twice") != c.twice || h.Get("X-B") != "{tok}" || h.Get("X-Injected") != "" {
			t.Errorf("token %q: %v", c.token, h)
		}
	}
}

func TestRequestIsSmall(t *testing.T) {
	r := parseRequest(t, mustNew(t, Config{}).NewConn().AppendHello(nil, wire.Hello{Host: "a:1", Client: "me", Session: "x"}))
	if r.RequestURI != "/" || r.Host != "a:1" || len(r.Header) != 4 {
		t.Errorf("%s of %s with %v", r.RequestURI, r.Host, r.Header)
	}
}

// TestKeysAreFresh: RFC 6455 4.1, "The nonce MUST be selected randomly for each connection".
func TestKeysAreFresh(t *testing.T) {
	p, keys := mustNew(t, Config{}), map[string]bool{}
	for range 100 {
		keys[requestHeader(t, p.NewConn().AppendHello(nil, wire.Hello{Host: "a:1"})).Get("Sec-WebSocket-Key")] = true
	}
	if len(keys) != 100 {
		t.Errorf("%d keys for 100 connections", len(keys))
	}
}

// TestAcceptFor is the example of RFC 6455 1.3.
func TestAcceptFor(t *testing.T) {
	if got := acceptFor("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Error(got)
	}
}

func TestHost(t *testing.T) {
	for _, c := range []struct{ port, hostport, want string }{
		{"80", "example.com:80", "example.com"},
		{"80", "example.com:8080", "example.com:8080"},
		{"80", "example.com:443", "example.com:443"},
		{"443", "example.com:443", "example.com"},
		{"443", "example.com:80", "example.com:80"},

		{"80", "192.0.2.1:80", "192.0.2.1"},
		{"80", "[2001:db8::1]:80", "[2001:db8::1]"},
		{"80", "[2001:db8::1]:81", "[2001:db8::1]:81"},
		{"80", "[fe80::1%eth0]:81", "[fe80::1]:81"},
		{"80", "example.com", "example.com"},
	} {
		r := request{secure: c.port == "443"}
		if got := r.host(c.hostport); got != c.want {
			t.Errorf("%s with port %q: %s, want %s", c.hostport, c.port, got, c.want)
		}
	}
}
