package ws

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"net"
	"net/http"
	"strings"

	"feedgate/gateway/wire"
	"feedgate/worker/header"
)

// request is the part of the handshake request that is the same for all connections.
type request struct {
	path                string
	secure              bool
	origin, subprotocol string // empty: none
	headers             []header.Header
}

// append appends the request of RFC 6455 4.1 for path to the server at hostport, and returns the
// expected Sec-WebSocket-Accept.
func (r *request) append(dst []byte, hostport, path string, token []byte) (out []byte, accept string) {
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])

	line := func(parts ...string) {
		for _, s := range parts {
			dst = append(dst, s...)
		}
		dst = append(dst, "\r\n"...)
	}
	line("GET ", path, " HTTP/1.1")
	line("Host: ", r.host(hostport))
	line("Upgrade: websocket")
	line("Connection: Upgrade")
	line("Sec-WebSocket-Key: ", key)
	line("Sec-WebSocket-Version: 13")
	if r.origin != "" {
		line("Origin: ", r.origin)
	}
	if r.subprotocol != "" {
		line("Sec-WebSocket-Protocol: ", r.subprotocol)
	}
	for _, h := range r.headers {
		line(h.Name, ": ", h.WithToken(token))
	}
	line()
	return dst, acceptFor(key)
}

// acceptFor returns the server's answer to a key (RFC 6455 4.2.2, step 5.4).
func acceptFor(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// host returns hostport for the Host header: without the scheme's default port, and without the
// zone of an address, which has no meaning elsewhere (RFC 6874 4).
func (r *request) host(hostport string) string {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return hostport
	}
	if strings.Contains(host, ":") {
		host, _, _ = strings.Cut(host, "%")
		host = "[" + host + "]"
	}
	if port == schemePort(r.secure) {
		return host
	}
	return host + ":" + port
}

// handshake handles the server's answer to the request once its head is complete.
func (c *conn) handshake(buf []byte, in *wire.Input) *wire.Error {
	const start = "HTTP/"
	for {
		rest := buf[in.Scan:]
		if n := min(len(rest), len(start)); string(rest[:n]) != start[:n] {
			return errNotHTTP(rest)
		}
		head := rest[:min(len(rest), maxHead-c.headUsed)]
		size := headEnd(head, c.headSearched)
		if size == 0 {
			if c.headSearched = len(head); c.headUsed+len(head) == maxHead {
				return loginFault(wire.CloseProtocolError, "the head of the server's answer is longer than %d bytes", maxHead)
			}
			return nil
		}
		answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(rest[:size])), nil)
		if err != nil {
			// The error may quote the answer.
			return loginFault(wire.CloseProtocolError, "the head of the server's answer is not that of an HTTP response")
		}
		c.headSearched, c.headUsed = 0, c.headUsed+size
		in.Advance(size)
		if !interim(answer.StatusCode) {
			if err := c.checkAnswer(answer); err != nil {
				return err
			}
			break
		}
	}
	c.phase = open
	in.Event = wire.Event{Kind: wire.EventReady, First: 1, Each: true}
	if c.p.hello != nil {
		in.Out = appendFrame(in.Out, dataOp(c.hello), c.hello)
		clear(c.hello)
		c.hello = nil
	}
	return nil
}

// errNotHTTP returns the fault of an answer that begins with b and is not HTTP.
func errNotHTTP(b []byte) *wire.Error {
	if wire.DetectProtocol(b) == "TLS" {
		return wire.Errorf(wire.Login, wire.CloseProtocolError, "the server's answer is TLS, not HTTP; see the URL's scheme, wss")
	}
	return wire.Errorf(wire.Login, wire.CloseProtocolError, "the server's answer is not HTTP")
}

// interim reports whether another response follows one with this status (RFC 9110 15.2).
func interim(status int) bool {
	return status/100 == 1 && status != http.StatusSwitchingProtocols
}

// headEnd returns the length of the HTTP head at the beginning of b; 0 if it is incomplete. The
// first searched bytes contain no end. A bare LF ends a line as well (RFC 9112 2.2).
func headEnd(b []byte, searched int) int {
	for at := max(searched-2, 0); ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return 0
		}
		at += i + 1
		if rest := b[at:]; bytes.HasPrefix(rest, []byte("\n")) {
			return at + 1
		} else if bytes.HasPrefix(rest, []byte("\r\n")) {
			return at + 2
		}
	}
}

// checkAnswer checks the server's answer as RFC 6455 4.1 requires of a client.
func (c *conn) checkAnswer(r *http.Response) *wire.Error {
	if r.StatusCode != http.StatusSwitchingProtocols {
		return c.badStatus(r)
	}
	fault := func(format string, args ...any) *wire.Error {
		return loginFault(wire.CloseProtocolError, "the server's answer: "+format, args...)
	}
	if !r.ProtoAtLeast(1, 1) {
		return fault("status 101 in HTTP/%d.%d", r.ProtoMajor, r.ProtoMinor)
	}
	get := func(name string) []string { return r.Header[http.CanonicalHeaderKey(name)] }
	if v := get("Upgrade"); len(v) != 1 || !equalFold(v[0], "websocket") {
		return fault("Upgrade is not websocket")
	}
	if !hasToken(get("Connection"), "upgrade") {
		return fault("Connection has no Upgrade")
	}
	if v := get("Sec-WebSocket-Accept"); len(v) != 1 || v[0] != c.accept {
		return fault("Sec-WebSocket-Accept does not match the key")
	}
	if strings.Trim(strings.Join(get("Sec-WebSocket-Extensions"), ""), ", \t") != "" {
		return fault("Sec-WebSocket-Extensions selects one, but none was offered")
	}
	asked := c.p.request.subprotocol
	switch v := get("Sec-WebSocket-Protocol"); {
	case asked == "" && len(v) > 0:
		return fault("Sec-WebSocket-Protocol selects one, but none was requested; see --ws-subprotocol")
	case asked != "" && len(v) == 0:
		return fault("Sec-WebSocket-Protocol is missing; --ws-subprotocol requests %s", asked)
	case asked != "" && (len(v) != 1 || v[0] != asked):
		return fault("Sec-WebSocket-Protocol is not %s, as --ws-subprotocol requests", asked)
	}
	return nil
}

func loginFault(code wire.CloseCode, format string, args ...any) *wire.Error {
	return wire.Errorf(wire.Login, code, format, args...)
}
