package mutate

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// ws is WebSocket (RFC 6455). Acks end with a space and the number.
type ws struct{ requests bool } // messages are parts of requests, for --assemble

const (
	wsText   = 1
	wsBinary = 2
	wsClose  = 8
	wsFinal  = 0x80
)

var endOfHead = []byte("\r\n\r\n")

func (ws) requested(got []byte) bool { return bytes.Contains(got, endOfHead) }

func (w ws) generate(d *rand.Rand, request []byte, messages int) conversation {
	t := conversation{b: []byte(handshake(request))}
	for n := range messages {
		body, op := payload(d, n), byte(wsText+d.IntN(2))
		if w.requests {
			body = requests.clean(body)
		}
		if !w.requests || requests.acked(body) {
			t.keys = append(t.keys, strconv.Itoa(n+1))
		}
		for d.IntN(6) == 0 {
			cut := d.IntN(len(body) + 1)
			t.wsFrame(op, body[:cut])
			body, op = body[cut:], 0
			if d.IntN(3) == 0 {
				t.wsFrame(wsFinal|byte(9+d.IntN(2)), []byte(marker[:d.IntN(len(marker))]))
			}
		}
		t.wsFrame(wsFinal|op, body)
		if d.IntN(30) == 0 {
			t.wsFrame(wsFinal|byte(9+d.IntN(2)), nil)
		}
	}
	if d.IntN(2) == 0 {
		t.wsFrame(wsFinal|wsClose, []byte{0x03, 0xe8})
	}
	return t
}

// handshake returns the response to a request.
func handshake(request []byte) string {
	key := ""
	for line := range strings.Lines(string(request)) {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Sec-WebSocket-Key") {
			key = strings.TrimSpace(value)
		}
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
}

// refusals are other responses to a handshake.
var refusals = []string{
	"HTTP/1.1 301 Moved Permanently\r\nLocation: /other?x=1\r\n\r\n",
	"HTTP/1.1 307 Temporary Redirect\r\nLocation: //127.0.0.1:1/there\r\nContent-Length: 5\r\n\r\nthere",
	"HTTP/1.1 302 Found\r\nLocation: wss://127.0.0.1/\r\n\r\n",
	"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n\r\n",
	"HTTP/1.1 503 Service Unavailable\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>",
}

func (t *conversation) wsFrame(first byte, body []byte) {
	t.b = append(t.b, first)
	switch {
	case len(body) < 126:
		t.put(len(body), 1, false)
	case len(body) < 1<<16:
		t.b = append(t.b, 126)
		t.put(len(body), 2, false)
	default:
		t.b = append(t.b, 127)
		t.put(len(body), 8, false)
	}
	t.b = append(t.b, body...)
}

// whole returns an upper bound of the number of messages that end in b.
func (ws) whole(b []byte) (n int) {
	// Responses with a status below 200 may precede the final one.
	for {
		rest, found := afterHead(b)
		if !found {
			return n
		}
		n, b = max(n, wholeFrames(rest)), rest
	}
}

// afterHead returns what follows the HTTP head at the beginning of b. A bare LF also ends a line
// (RFC 9112, section 2.2).
func afterHead(b []byte) (rest []byte, found bool) {
	for {
		if _, b, found = bytes.Cut(b, []byte("\n")); !found {
			return nil, false
		}
		if rest, found = bytes.CutPrefix(bytes.TrimPrefix(b, []byte("\r")), []byte("\n")); found {
			return rest, true
		}
	}
}

func wholeFrames(b []byte) (n int) {
	for len(b) >= 2 {
		size, head := uint64(b[1]&0x7f), 2
		switch {
		case size == 126 && len(b) >= 4:
			size, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
		case size == 127 && len(b) >= 10:
			size, head = binary.BigEndian.Uint64(b[2:]), 10
		case size >= 126:
			return n
		}
		if size > uint64(len(b)-head) {
			return n
		}
		if b[0]&wsFinal != 0 && b[0]&0x0f <= wsBinary {
			n++
		}
		b = b[head+int(size):]
	}
	return n
}

func (w ws) judge(sent, got []byte) (map[string]int, error) {
	acked := make(map[string]int)
	_, got, _ = bytes.Cut(got, endOfHead)
	closed := false
	for len(got) >= 6 {
		size, head := int(got[1]&0x7f), 6
		if got[0]&wsFinal == 0 || got[1]&0x80 == 0 || size > 126 || closed {
			return acked, fmt.Errorf("a frame that begins with % x, after Close: %t", got[:2], closed)
		}
		if size == 126 {
			if len(got) < 8 {
				break
			}
			size, head = int(binary.BigEndian.Uint16(got[2:])), 8
		}
		if len(got) < head+size {
			break
		}
		body, mask := append([]byte(nil), got[head:head+size]...), got[head-4:head]
		for i := range body {
			body[i] ^= mask[i%4]
		}
		switch op := got[0] & 0x0f; op {
		case wsText, wsBinary:
			acked[string(body[bytes.LastIndexByte(body, ' ')+1:])]++
		case wsClose:
			closed = true
		}
		got = got[head+size:]
	}
	return acked, atMost(acked, w.whole(sent))
}
