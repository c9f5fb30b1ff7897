package feedserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

const (
	// The example of RFC 6455, section 1.3.
	wsTestKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	wsTestAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// wsClient is a WebSocket client that a test controls.
type wsClient struct {
	t    *testing.T
	nc   net.Conn
	r    *bufio.Reader
	mask uint32 // of the next frame
}

// wsFrame is a received frame.
type wsFrame struct {
	fin     bool
	op      byte
	payload []byte
}

// handshake returns a valid handshake with replacements.
func handshake(oldnew ...string) string {
	return strings.NewReplacer(oldnew...).Replace("GET /feed?x=1 HTTP/1.1\r\nHost: feed.test\r\nUpgrade: websocket\r\n" +
		"Connection: keep-alive, Upgrade\r\nOrigin: http://elsewhere.test\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + wsTestKey + "\r\n\r\n")
}

// upgradeWS performs a handshake on a connection.
func upgradeWS(t *testing.T, nc net.Conn, request string) (*wsClient, *http.Response, error) {
	c := &wsClient{t: t, nc: nc, r: bufio.NewReader(nc), mask: 0x01020304}
	if _, err := io.WriteString(nc, request); err != nil {
		return nil, nil, err
	}
	res, err := http.ReadResponse(c.r, nil)
	return c, res, err
}

// dialWS connects and performs a handshake.
func dialWS(t *testing.T, s *Server) *wsClient {
	t.Helper()
	c, res, err := upgradeWS(t, dial(t, s), handshake())
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != wsTestAccept {
		t.Fatalf("handshake answered with %s, %v", res.Status, res.Header)
	}
	return c
}

// wsMasked renders a client's frame: b0 is FIN, reserved bits and opcode.
func wsMasked(b0 byte, payload []byte, mask uint32) []byte {
	b := []byte{b0}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := binary.BigEndian.AppendUint32(nil, mask)
	b = append(b, key...)
	for i, p := range payload {
		b = append(b, p^key[i%4])
	}
	return b
}

// wsAck renders an ack in one text frame.
func wsAck(n uint64) []byte {
	return wsMasked(0x81, fmt.Appendf(nil, "A%d", n), uint32(n)*0x9E3779B1)
}

// frame renders a frame with the next mask.
func (c *wsClient) frame(b0 byte, payload string) []byte {
	c.mask = c.mask*0x9E3779B1 + 1
	return wsMasked(b0, []byte(payload), c.mask)
}

// send writes b. It ignores errors, because a test sees them when it reads.
func (c *wsClient) send(b ...byte) { _, _ = c.nc.Write(b) }

// ack acknowledges the messages [from, to] of the connection in one write.
func (c *wsClient) ack(from, to uint64) {
	var b []byte
	for n := from; n <= to; n++ {
		b = append(b, c.frame(0x81, fmt.Sprint("A", n))...)
	}
	c.send(b...)
}

// readAny reads a frame.
func (c *wsClient) readAny() (f wsFrame, err error) {
	var head [2]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return f, err
	}
	f.fin, f.op = head[0]&0x80 != 0, head[0]&0x0f
	if head[0]&0x70 != 0 || head[1]&0x80 != 0 {
		return f, fmt.Errorf("frame begins % x", head)
	}
	size := uint64(head[1])
	if wide := map[byte]int{126: 2, 127: 8}[head[1]]; wide > 0 {
		b := make([]byte, 8)
		if _, err := io.ReadFull(c.r, b[8-wide:]); err != nil {
			return f, err
		}
		if size = binary.BigEndian.Uint64(b); size < 126 || wide == 8 && size < 1<<16 {
			return f, fmt.Errorf("length %d in %d bytes", size, wide)
		}
	}
	f.payload = make([]byte, size)
	_, err = io.ReadFull(c.r, f.payload)
	return f, err
}

// errClosed means that Close was received instead of a message.
type errClosed struct{ code uint16 }

func (e errClosed) Error() string { return fmt.Sprintf("Close with code %d", e.code) }

// read returns the next message and its number of frames, and answers PINGs.
func (c *wsClient) read() (op byte, payload []byte, frames int, err error) {
	for {
		f, err := c.readAny()
		if err != nil {
			return 0, nil, 0, err
		}
		switch {
		case f.op == opPing:
			c.send(c.frame(0x80|opPong, string(f.payload))...)
			continue
		case f.op == opClose:
			return 0, nil, 0, errClosed{closeCode(f.payload)}
		case f.op > opBinary || (f.op == opContinuation) != (frames > 0):
			return 0, nil, 0, fmt.Errorf("opcode %d after %d frames", f.op, frames)
		}
		op |= f.op
		payload = append(payload, f.payload...)
		if frames++; f.fin {
			return op, payload, frames, nil
		}
	}
}

// messages reads the messages [from, to] of the session.
func (c *wsClient) messages(s *Server, from, to uint64) {
	c.t.Helper()
	for seq := from; seq <= to; seq++ {
		op, payload, _, err := c.read()
		if err != nil || op != opText || string(payload) != string(s.payload(seq)) {
			c.t.Fatalf("message %d is %q of type %d, %v", seq, payload, op, err)
		}
	}
}

func closeCode(payload []byte) uint16 {
	if len(payload) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(payload)
}

// sync waits until the server has read everything that was sent. The server must not send anything
// before its answer.
func (c *wsClient) sync() {
	c.t.Helper()
	c.send(c.frame(0x80|opPing, "sync")...)
	if f, err := c.readAny(); err != nil || f.op != opPong || string(f.payload) != "sync" || !f.fin {
		c.t.Fatalf("PING is answered with %+v, %v", f, err)
	}
}

// wantClose reads the server's Close.
func (c *wsClient) wantClose(code uint16) {
	c.t.Helper()
	_, payload, _, err := c.read()
	if closed := (errClosed{}); !errors.As(err, &closed) || closed.code != code {
		c.t.Fatalf("got %q, %v; want Close with code %d", payload, err, code)
	}
}

// end reads the server's Close and answers it, after which the server closes the connection.
func (c *wsClient) end(code uint16) {
	c.t.Helper()
	c.wantClose(code)
	c.send(c.frame(0x80|opClose, string(binary.BigEndian.AppendUint16(nil, code)))...)
	c.eof()
}

// eof reads to the end of the stream and closes.
func (c *wsClient) eof() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Fatalf("%d bytes and %v, want end of stream", len(rest), err)
	}
	_ = c.nc.Close()
}
