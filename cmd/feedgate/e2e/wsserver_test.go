package e2e

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

const (
	wsContinuation = 0
	wsText         = 1
	wsBinary       = 2
	wsClose        = 8
	wsPing         = 9
	wsPong         = 10

	wsFinal  = 0x80
	wsMasked = 0x80
)

// wsConn is one WebSocket connection of the gateway (RFC 6455), driven by the
// test's goroutine.
type wsConn struct {
	net.Conn
	t       *testing.T
	in      *bufio.Reader
	request *http.Request
}

// acceptWS waits for the gateway's next connection and answers its handshake.
func acceptWS(t *testing.T, ln *net.TCPListener, subprotocol string) *wsConn {
	t.Helper()
	conn := accept(t, ln)
	c := &wsConn{Conn: conn, t: t, in: bufio.NewReader(conn)}
	err := conn.SetReadDeadline(time.Now().Add(patience))
	if err != nil {
		t.Fatal(err)
	}
	if c.request, err = http.ReadRequest(c.in); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	h := c.request.Header
	if h.Get("Upgrade") != "websocket" || h.Get("Sec-WebSocket-Version") != "13" || c.request.Method != http.MethodGet {
		t.Fatalf("handshake: %s with %v", c.request.Method, h)
	}
	sum := sha1.Sum([]byte(h.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if subprotocol != "" {
		answer += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
	}
	c.sendBytes([]byte(answer + "\r\n"))
	return c
}

func (c *wsConn) sendBytes(b []byte) {
	c.t.Helper()
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("server write: %v", err)
	}
}

// wsFrame encodes a server's frame, which is not masked. op includes wsFinal in the last frame of a
// message.
func wsFrame(op byte, payload string) []byte {
	b := []byte{op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

func (c *wsConn) send(op byte, payload string) {
	c.t.Helper()
	c.sendBytes(wsFrame(op, payload))
}

// closeCode returns the payload of a Close frame.
func closeCode(code uint16) string {
	return string(binary.BigEndian.AppendUint16(nil, code))
}

// readFrame reads one frame of the gateway, which must be masked and unfragmented.
func (c *wsConn) readFrame() (op byte, payload string, err error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, "", err
	}
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, "", err
	}
	length := int(head[1] &^ wsMasked)
	if head[0]&wsFinal == 0 || head[1]&wsMasked == 0 || length > 126 {
		return 0, "", fmt.Errorf("frame that starts with %x", head)
	}
	if length == 126 {
		var long [2]byte
		if _, err := io.ReadFull(c.in, long[:]); err != nil {
			return 0, "", err
		}
		length = int(binary.BigEndian.Uint16(long[:]))
	}
	masked := make([]byte, 4+length)
	if _, err := io.ReadFull(c.in, masked); err != nil {
		return 0, "", err
	}
	text := masked[4:]
	for i := range text {
		text[i] ^= masked[i%4]
	}
	return head[0] &^ wsFinal, string(text), nil
}

// expect reads the gateway's next frame.
func (c *wsConn) expect(op byte, payload string) {
	c.t.Helper()
	got, text, err := c.readFrame()
	if err != nil || got != op || text != payload {
		c.t.Fatalf("the gateway sent op %d %q, %v; want op %d %q", got, text, err, op, payload)
	}
}

// closed reads up to the gateway's Close and returns its code, or 0 if it has none.
func (c *wsConn) closed() uint16 {
	c.t.Helper()
	for {
		op, payload, err := c.readFrame()
		if err != nil {
			c.t.Fatalf("waiting for Close: %v", err)
		}
		if op != wsClose {
			continue
		}
		code := uint16(0)
		if len(payload) >= 2 {
			code = binary.BigEndian.Uint16([]byte(payload))
		}
		return code
	}
}

// hangUp closes the connection, as a server does first, after both Close frames.
func (c *wsConn) hangUp() {
	c.t.Helper()
	if err := c.Close(); err != nil {
		c.t.Fatal(err)
	}
}

// leave does the closing handshake: the server's Close, the gateway's Close, end of stream.
func (c *wsConn) leave() {
	c.t.Helper()
	c.send(wsFinal|wsClose, closeCode(1000))
	c.closed()
	c.hangUp()
}
