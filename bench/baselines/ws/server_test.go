package ws_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"feedgate/worker/testkit"
)

const (
	fin            = 0x80
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// server is one connection of a scripted server.
type server struct {
	*net.TCPConn
	r *bufio.Reader
}

// listen serves one connection and closes it. It sends the result of serve.
func listen(t *testing.T, serve func(s *server) error) (addr string, served <-chan error) {
	t.Helper()
	l := testkit.Listen(t)
	ended := make(chan error, 1)
	go func() {
		defer l.Close()
		nc, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer nc.Close()
		if err = nc.SetDeadline(time.Now().Add(deadline)); err == nil {
			err = serve(&server{nc.(*net.TCPConn), bufio.NewReader(nc)})
		}
		ended <- err
	}()
	return l.Addr().String(), ended
}

// accepted reads the client's handshake and returns the response (RFC 6455, section 4.2.2).
func (s *server) accepted() ([]byte, error) {
	req, err := http.ReadRequest(s.r)
	if err != nil {
		return nil, err
	}
	if req.Header.Get("Sec-WebSocket-Extensions") != "" {
		return nil, fmt.Errorf("client asks for extensions %q", req.Header.Get("Sec-WebSocket-Extensions"))
	}
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:])), nil
}

// send accepts the client and sends b after the response.
func (s *server) send(b []byte) error {
	answer, err := s.accepted()
	if err != nil {
		return err
	}
	_, err = s.Write(append(answer, b...))
	return err
}

// sendPieces is send, in writes of up to longest bytes.
func (s *server) sendPieces(r *rand.Rand, b []byte, longest int) error {
	answer, err := s.accepted()
	if err != nil {
		return err
	}
	for b = append(answer, b...); len(b) > 0; {
		n := min(1+r.IntN(longest), len(b))
		if _, err := s.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// read reads a client's frame.
func (s *server) read() (op byte, payload []byte, err error) {
	var head [6]byte // all frames of these clients are short
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(head[1]) - 0x80
	if head[0]&0xf0 != fin || n < 0 || n > 125 {
		return 0, nil, fmt.Errorf("client's frame begins with % x", head)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(s.r, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= head[2+i%4]
	}
	return head[0] &^ fin, payload, nil
}

// appendFrame appends a server's frame; b0 is FIN and opcode.
func appendFrame(dst []byte, b0 byte, payload []byte) []byte {
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, b0, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, b0, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, b0, 127), uint64(n))
	}
	return append(dst, payload...)
}

func appendClose(dst []byte, code uint16) []byte {
	if code == 0 {
		return appendFrame(dst, fin|opClose, nil)
	}
	return appendFrame(dst, fin|opClose, append(binary.BigEndian.AppendUint16(nil, code), "enough"...))
}
