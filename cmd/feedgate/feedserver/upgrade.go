package feedserver

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"feedgate/gateway/wire/fg1"
)

const (
	// maxHead is the longest handshake of a client, in bytes.
	maxHead = 16 << 10
	// wsGUID is hashed with the key (RFC 6455, section 1.3).
	wsGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

// upgrade has the fields of the answer to a WebSocket client's handshake (RFC 6455, section 4.2.2).
type upgrade struct {
	accept      string // Sec-WebSocket-Accept
	subprotocol string // the first one that the client offers; empty: none
}

// cutHead returns the HTTP head that b begins with, including its empty line; nil if it is not complete.
func cutHead(b []byte) ([]byte, error) {
	end := []byte("\r\n\r\n")
	head, _, found := bytes.Cut(b[:min(len(b), maxHead)], end)
	switch {
	case found:
		return b[:len(head)+len(end)], nil
	case len(b) >= maxHead:
		return nil, faultf(http.StatusRequestHeaderFieldsTooLarge, "handshake longer than %d bytes", maxHead)
	}
	return nil, nil
}

// parseUpgrade parses a client's handshake. The code of its *fault is the HTTP status of the answer.
func parseUpgrade(head []byte) (upgrade, error) {
	req, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(head), len(head)))
	if err != nil {
		return upgrade{}, faultf(http.StatusBadRequest, "handshake that is no HTTP request")
	}
	key := req.Header.Get("Sec-WebSocket-Key")
	nonce, keyErr := base64.StdEncoding.DecodeString(key)
	switch {
	case req.Method != http.MethodGet || !req.ProtoAtLeast(1, 1) || req.Host == "" || req.ContentLength != 0:
		return upgrade{}, faultf(http.StatusBadRequest, "handshake that is not a GET of HTTP/1.1 with a Host and without a body")
	case !slices.ContainsFunc(listed(req.Header, "Upgrade"), isFold("websocket")):
		return upgrade{}, faultf(http.StatusUpgradeRequired, "handshake without Upgrade: websocket")
	case !slices.ContainsFunc(listed(req.Header, "Connection"), isFold("upgrade")):
		return upgrade{}, faultf(http.StatusBadRequest, "handshake without Connection: Upgrade")
	case req.Header.Get("Sec-WebSocket-Version") != "13":
		return upgrade{}, faultf(http.StatusUpgradeRequired, "handshake without Sec-WebSocket-Version: 13")
	case keyErr != nil || len(nonce) != 16 || len(req.Header.Values("Sec-WebSocket-Key")) != 1:
		return upgrade{}, faultf(http.StatusBadRequest, "handshake without a Sec-WebSocket-Key of 16 bytes in base64")
	}
	sum := sha1.Sum([]byte(key + wsGUID))
	u := upgrade{accept: base64.StdEncoding.EncodeToString(sum[:])}
	if asked := listed(req.Header, "Sec-WebSocket-Protocol"); len(asked) > 0 {
		u.subprotocol = asked[0]
	}
	if strings.ContainsFunc(u.subprotocol, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return upgrade{}, faultf(http.StatusBadRequest, "handshake with a Sec-WebSocket-Protocol that is no token")
	}
	return u, nil
}

// listed returns the elements of a header that is a comma-separated list.
func listed(h http.Header, name string) (elements []string) {
	for _, line := range h.Values(name) {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.Trim(element, " \t"); element != "" {
				elements = append(elements, element)
			}
		}
	}
	return elements
}

func isFold(want string) func(string) bool {
	return func(s string) bool { return strings.EqualFold(s, want) }
}

// appendAccepted appends the answer to a valid handshake.
func (u *upgrade) appendAccepted(dst []byte) []byte {
	dst = fmt.Appendf(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n", u.accept)
	if u.subprotocol != "" {
		dst = fmt.Appendf(dst, "Sec-WebSocket-Protocol: %s\r\n", u.subprotocol)
	}
	return append(dst, "\r\n"...)
}

// appendRefused appends the answer to a refused handshake. code is an HTTP status or a code of FG/1.
func appendRefused(dst []byte, code uint16) []byte {
	status := int(code)
	switch {
	case code == fg1.CodeShuttingDown:
		status = http.StatusServiceUnavailable
	case http.StatusText(status) == "":
		status = http.StatusBadRequest
	}
	dst = fmt.Appendf(dst, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n", status, http.StatusText(status))
	if status == http.StatusUpgradeRequired {
		dst = append(dst, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"...)
	}
	return append(dst, "\r\n"...)
}
