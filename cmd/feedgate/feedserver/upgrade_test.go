package feedserver

import (
	"net/http"
	"strings"
	"testing"
)

// TestUpgrade: any path is accepted, with the first subprotocol offered.
func TestUpgrade(t *testing.T) {
	s := start(t, Config{Protocol: "ws", Count: 1, Clients: 100})
	for name, test := range map[string]struct {
		request     string
		subprotocol string
	}{
		"plain":        {handshake(), ""},
		"path":         {handshake("/feed?x=1", "/"), ""},
		"case":         {handshake("Upgrade: websocket", "UPGRADE: h2c, WebSocket", "keep-alive, Upgrade", "UPGRADE"), ""},
		"subprotocols": {handshake("Origin: ", "Sec-WebSocket-Protocol: v2.feed, v1.feed\r\nSec-WebSocket-Protocol: v0.feed\r\nOrigin: "), "v2.feed"},
		"extensions":   {handshake("Origin: ", "Sec-WebSocket-Extensions: permessage-deflate\r\nOrigin: "), ""},
		"long":         {handshake("Origin: ", "Cookie: "+strings.Repeat("x", maxHead-500)+"\r\nOrigin: "), ""},
	} {
		nc := dial(t, s)
		c, res, err := upgradeWS(t, nc, test.request)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != wsTestAccept ||
			res.Header.Get("Sec-WebSocket-Protocol") != test.subprotocol || res.Header.Get("Sec-WebSocket-Extensions") != "" ||
			!strings.EqualFold(res.Header.Get("Upgrade"), "websocket") || !strings.EqualFold(res.Header.Get("Connection"), "upgrade") {
			t.Fatalf("%s: %+v, %v", name, res, err)
		}
		c.messages(s, 1, 1)
		c.ack(1, 1)
		c.end(closeNormal)
	}
}

// TestUpgradeInPieces: a handshake may arrive in pieces, followed by frames.
func TestUpgradeInPieces(t *testing.T) {
	s := start(t, Config{Protocol: "ws", Count: 1})
	nc := dial(t, s)
	request := handshake()
	for i := range len(request) - 1 {
		if _, err := nc.Write([]byte{request[i]}); err != nil {
			t.Fatal(err)
		}
	}
	c, res, err := upgradeWS(t, nc, request[len(request)-1:]+string(wsMasked(0x89, []byte("early"), 5)))
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%+v, %v", res, err)
	}
	pong := false
	for got := 0; got < 2; got++ {
		f, err := c.readAny()
		if err != nil {
			t.Fatal(err)
		}
		pong = pong || f.op == opPong && string(f.payload) == "early"
	}
	if !pong {
		t.Error("a PING after the handshake is not answered")
	}
	c.ack(1, 1)
	c.end(closeNormal)
	wait(t, s)
}

// TestUpgradeRefused: invalid handshakes are refused and leave no session.
func TestUpgradeRefused(t *testing.T) {
	tests := map[string]struct {
		request string
		status  int
	}{
		"no HTTP":          {"HELLO\r\n\r\n", 400},
		"no key":           {handshake("Sec-WebSocket-Key", "Other-Key"), 400},
		"short key":        {handshake(wsTestKey, "c2hvcnQ="), 400},
		"key not base64":   {handshake(wsTestKey, "!"+wsTestKey[1:]), 400},
		"two keys":         {handshake("Origin: ", "Sec-WebSocket-Key: "+wsTestKey+"\r\nOrigin: "), 400},
		"version 8":        {handshake("Version: 13", "Version: 8"), 426},
		"no upgrade":       {handshake("Upgrade: websocket\r\n", ""), 426},
		"other upgrade":    {handshake("Upgrade: websocket", "Upgrade: h2c"), 426},
		"not connected":    {handshake("keep-alive, Upgrade", "keep-alive"), 400},
		"POST":             {handshake("GET", "POST"), 400},
		"HTTP/1.0":         {handshake("HTTP/1.1", "HTTP/1.0"), 400},
		"no host":          {handshake("Host: feed.test\r\n", ""), 400},
		"body":             {handshake("Origin: ", "Content-Length: 5\r\nOrigin: "), 400},
		"bad subprotocol":  {handshake("Origin: ", "Sec-WebSocket-Protocol: a b\r\nOrigin: "), 400},
		"endless":          {handshake()[:20] + strings.Repeat("x", maxHead), 431},
		"endless in lines": {strings.TrimSuffix(handshake(), "\r\n") + strings.Repeat("X: y\r\n", maxHead/6), 431},
	}
	s := start(t, Config{Protocol: "ws", Count: 1})
	for name, test := range tests {
		c, res, err := upgradeWS(t, dial(t, s), test.request)
		if err != nil || res.StatusCode != test.status {
			t.Errorf("%s: %+v, %v; want %d", name, res, err, test.status)
			continue
		}
		if test.status == 426 && (res.Header.Get("Sec-WebSocket-Version") != "13" || res.Header.Get("Upgrade") != "websocket") {
			t.Errorf("%s: the answer does not name the supported version: %v", name, res.Header)
		}
		c.eof()
	}
	c := dialWS(t, s)
	c.messages(s, 1, 1)
	c.ack(1, 1)
	c.end(closeNormal)
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 1, Acknowledged: 1, Connections: 1})
	if r.RejectedLogins != uint64(len(tests)) {
		t.Errorf("%d rejected logins, want %d", r.RejectedLogins, len(tests))
	}
}
