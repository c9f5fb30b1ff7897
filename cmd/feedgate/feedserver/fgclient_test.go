package feedserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"testing"

	"feedgate/gateway/wire/fg1"
)

// fgClient is an FG/1 client that a test controls.
type fgClient struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader

	session string
	first   uint64
	welcome map[string]any
}

// frame is a received frame.
type frame struct {
	fg1.Header
	payload []byte
}

func newFGClient(t *testing.T, s *Server) *fgClient {
	nc := dial(t, s)
	return &fgClient{t: t, nc: nc, r: bufio.NewReaderSize(nc, 64<<10)}
}

// login connects and logs in.
func login(t *testing.T, s *Server, session string, seq uint64) *fgClient {
	t.Helper()
	c := newFGClient(t, s)
	if err := c.login(session, seq, ""); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *fgClient) login(session string, seq uint64, token string) error {
	c.hello(seq, fmt.Sprintf(`{"version":1,"client":"test","session":%q,"token":%q}`, session, token))
	f, err := c.read()
	if err != nil {
		return err
	}
	if f.Op != fg1.Welcome {
		return fmt.Errorf("answer to HELLO is op %d, code %d", f.Op, f.Code)
	}
	if err := json.Unmarshal(f.payload, &c.welcome); err != nil {
		return err
	}
	c.session, c.first = c.welcome["session"].(string), f.Seq
	return nil
}

func (c *fgClient) hello(seq uint64, payload string) {
	c.send(fg1.AppendFrame(nil, fg1.Hello, 0, 0, seq, []byte(payload)))
}

// send writes b. It ignores errors, because a test sees them when it reads.
func (c *fgClient) send(b []byte) { _, _ = c.nc.Write(b) }

func (c *fgClient) sendFrame(op fg1.Op, code uint16, seq uint64) {
	c.send(fg1.AppendFrame(nil, op, 0, code, seq, nil))
}

// ack acknowledges the messages [from, to].
func (c *fgClient) ack(from, to uint64) {
	var b []byte
	for seq := from; seq <= to; seq++ {
		b = fg1.AppendFrame(b, fg1.Ack, 0, 0, seq, nil)
	}
	c.send(b)
}

// readAny reads a frame.
func (c *fgClient) readAny() (frame, error) {
	var head [fg1.HeaderSize]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{Header: fg1.ParseHeader(head[:])}
	f.payload = make([]byte, f.Payload())
	_, err := io.ReadFull(c.r, f.payload)
	return f, err
}

// read returns the next frame that is not a PING, and answers PINGs.
func (c *fgClient) read() (frame, error) {
	for {
		f, err := c.readAny()
		if err != nil || f.Op != fg1.Ping {
			return f, err
		}
		c.sendFrame(fg1.Pong, 0, f.Seq)
	}
}

// ackAll acknowledges every message until BYE, and returns its code.
func (c *fgClient) ackAll() (uint16, error) {
	for {
		f, err := c.read()
		if err != nil {
			return 0, err
		}
		switch f.Op {
		case fg1.Data:
			if f.Flags&fg1.More == 0 {
				c.ack(f.Seq, f.Seq)
			}
		case fg1.Bye:
			return f.Code, nil
		}
	}
}

// want reads a frame, which must have this op.
func (c *fgClient) want(op fg1.Op) frame {
	c.t.Helper()
	f, err := c.read()
	if err != nil {
		c.t.Fatalf("waiting for op %d: %v", op, err)
	}
	if f.Op != op {
		c.t.Fatalf("got op %d, code %d, seq %d; want op %d", f.Op, f.Code, f.Seq, op)
	}
	return f
}

// data reads the messages [from, to].
func (c *fgClient) data(from, to uint64) {
	c.t.Helper()
	for seq := from; seq <= to; seq++ {
		if f := c.want(fg1.Data); f.Seq != seq {
			c.t.Fatalf("got message %d, want %d", f.Seq, seq)
		}
	}
}

// sync waits until the server has read everything that was sent. The server must not send anything
// before its answer.
func (c *fgClient) sync() {
	c.t.Helper()
	c.sendFrame(fg1.Ping, 0, 77)
	if f := c.want(fg1.Pong); f.Seq != 77 {
		c.t.Fatalf("PONG with seq %d, want 77", f.Seq)
	}
}

// end reads the server's BYE and closes.
func (c *fgClient) end(code uint16) {
	c.t.Helper()
	if f := c.want(fg1.Bye); f.Code != code {
		c.t.Fatalf("BYE with code %d, want %d", f.Code, code)
	}
	c.sendFrame(fg1.Bye, 0, 0)
	c.eof()
}

// eof reads to the end of the stream and closes.
func (c *fgClient) eof() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Fatalf("%d bytes and %v, want end of stream", len(rest), err)
	}
	_ = c.nc.Close()
}

// cut closes the connection without BYE.
func (c *fgClient) cut() { _ = c.nc.Close() }
