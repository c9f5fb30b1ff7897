package e2e

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// tcpServer is the listening side of a server of any framed protocol.
type tcpServer struct {
	t  *testing.T
	ln *net.TCPListener
}

func listenTCP(t *testing.T) *tcpServer { return &tcpServer{t: t, ln: listen(t, 0)} }

func (s *tcpServer) url() string { return "tcp://" + s.ln.Addr().String() }

func (s *tcpServer) accept() *tcpConn {
	s.t.Helper()
	return &tcpConn{TCPConn: accept(s.t, s.ln), t: s.t}
}

// tcpConn is one connection of the gateway, driven by the test's goroutine.
type tcpConn struct {
	*net.TCPConn
	t *testing.T
}

func (c *tcpConn) send(b []byte) {
	c.t.Helper()
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("server write: %v", err)
	}
}

// sendPieces sends b in pieces of 1 to largest bytes.
func (c *tcpConn) sendPieces(b []byte, largest int, random *rand.Rand) {
	c.t.Helper()
	for len(b) > 0 {
		n := min(len(b), 1+random.IntN(largest))
		c.send(b[:n])
		b = b[n:]
	}
}

// expect reads the given bytes from the gateway.
func (c *tcpConn) expect(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.timed(), got)
	if err != nil || string(got) != want {
		c.t.Fatalf("the gateway sent %q, %v; want %q", got[:n], err, want)
	}
}

// rest closes the sending side and returns everything up to the end of the gateway's stream.
func (c *tcpConn) rest() string {
	c.t.Helper()
	if err := c.CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
	return c.untilEnd()
}

// untilEnd returns everything up to the end of the gateway's stream, and closes.
func (c *tcpConn) untilEnd() string {
	c.t.Helper()
	var all bytes.Buffer
	if _, err := io.Copy(&all, c.timed()); err != nil {
		c.t.Fatalf("after %d bytes: %v", all.Len(), err)
	}
	c.close()
	return all.String()
}

// timed returns the connection with a new read deadline.
func (c *tcpConn) timed() io.Reader {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	return c.TCPConn
}

func (c *tcpConn) close() {
	c.t.Helper()
	if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		c.t.Fatal(err)
	}
}

// seeded returns a random source and logs its seed.
func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("random seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}
