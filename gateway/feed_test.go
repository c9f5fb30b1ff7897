package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker/testkit"
)

// testFeed is an FG/1 server that a test scripts connection by connection.
type testFeed struct {
	t  testing.TB
	ln net.Listener
}

func newTestFeed(t testing.TB) *testFeed {
	t.Helper()
	ln := testkit.Listen(t)
	return &testFeed{t, ln}
}

func (f *testFeed) url() string { return "fg://" + f.ln.Addr().String() }

// feedConn is one accepted connection. Reads time out, so that no test hangs.
type feedConn struct {
	t testing.TB
	*net.TCPConn
	r     *bufio.Reader
	hello helloSeen
	seq   uint64 // of HELLO
}

type helloSeen struct {
	Version                int
	Client, Session, Token string
}

func (f *testFeed) accept() *feedConn {
	f.t.Helper()
	f.ln.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
	c, err := f.ln.Accept()
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(60 * time.Second))
	return &feedConn{t: f.t, TCPConn: c.(*net.TCPConn), r: bufio.NewReaderSize(c, 1<<16)}
}

// login answers HELLO with a WELCOME.
func (f *testFeed) login(first uint64, welcome string) *feedConn {
	f.t.Helper()
	c := f.accept()
	h, payload := c.frame()
	if h.Op != fg1.Hello {
		f.t.Fatalf("first frame is op %d", h.Op)
	}
	if err := json.Unmarshal(payload, &c.hello); err != nil {
		f.t.Fatal(err)
	}
	c.seq = h.Seq
	c.send(fg1.AppendFrame(nil, fg1.Welcome, 0, 0, first, []byte(welcome)))
	return c
}

func (c *feedConn) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Error(err)
	}
}

func (c *feedConn) data(seq uint64, payload string) {
	c.t.Helper()
	c.send(fg1.AppendFrame(nil, fg1.Data, 0, 0, seq, []byte(payload)))
}

func (c *feedConn) bye() {
	c.t.Helper()
	c.send(fg1.AppendFrame(nil, fg1.Bye, 0, 0, 0, nil))
}

// next reads the next frame. At the end of the stream it returns an error.
func (c *feedConn) next() (fg1.Header, []byte, error) {
	var b [fg1.HeaderSize]byte
	if _, err := io.ReadFull(c.r, b[:]); err != nil {
		return fg1.Header{}, nil, err
	}
	h := fg1.ParseHeader(b[:])
	payload := make([]byte, h.Payload())
	_, err := io.ReadFull(c.r, payload)
	return h, payload, err
}

func (c *feedConn) frame() (fg1.Header, []byte) {
	c.t.Helper()
	h, payload, err := c.next()
	if err != nil {
		c.t.Fatalf("read a frame: %v", err)
	}
	return h, payload
}

// expect reads the next frame, ignoring PINGs, and fails the test if it is another one.
func (c *feedConn) expect(op fg1.Op, code uint16, seq uint64) {
	c.t.Helper()
	for {
		h, _ := c.frame()
		if h.Op == fg1.Ping {
			continue
		}
		if h.Op != op || h.Code != code || h.Seq != seq {
			c.t.Fatalf("got op %d code %d seq %d, want op %d code %d seq %d", h.Op, h.Code, h.Seq, op, code, seq)
		}
		return
	}
}

// stream sends n messages of size bytes and then BYE, checks that each is acked
// exactly once with code 0, and returns an error if not.
func (c *feedConn) stream(first uint64, n, size int) error {
	go func() {
		const batch = 1024
		payload := make([]byte, size)
		buf := make([]byte, 0, batch*(size+fg1.HeaderSize))
		for i := 0; i < n; {
			buf = buf[:0]
			for ; i < n && len(buf) < cap(buf); i++ {
				buf = fg1.AppendFrame(buf, fg1.Data, 0, 0, first+uint64(i), payload)
			}
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
		c.Write(fg1.AppendFrame(nil, fg1.Bye, 0, 0, 0, nil))
	}()
	seen := make([]bool, n)
	for got := 0; ; {
		h, _, err := c.next()
		if err != nil {
			return fmt.Errorf("after %d acks: %w", got, err)
		}
		switch h.Op {
		case fg1.Ping:
		case fg1.Bye:
			if got != n || h.Code != 0 {
				return fmt.Errorf("BYE %d after %d acks of %d", h.Code, got, n)
			}
			return nil
		case fg1.Ack:
			i := h.Seq - first
			if h.Code != 0 || i >= uint64(n) || seen[i] {
				return fmt.Errorf("ack of seq %d code %d: refused, unknown or doubled", h.Seq, h.Code)
			}
			seen[i] = true
			got++
		default:
			return fmt.Errorf("op %d from the gateway", h.Op)
		}
	}
}
