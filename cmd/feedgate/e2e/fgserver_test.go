package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// fgServer is the listening side of a scripted FG/1 server.
type fgServer struct {
	t  *testing.T
	ln *net.TCPListener
}

func listenFG(t *testing.T) *fgServer {
	return &fgServer{t: t, ln: listen(t, 0)}
}

func (s *fgServer) url() string { return "fg://" + s.ln.Addr().String() }

// accept waits for the gateway's next connection.
func (s *fgServer) accept() *fgConn {
	s.t.Helper()
	conn := accept(s.t, s.ln)
	return &fgConn{t: s.t, Conn: conn, tcp: conn, in: bufio.NewReader(conn)}
}

// hello is the payload of HELLO.
type hello struct {
	Version int     `json:"version"`
	Client  string  `json:"client"`
	Session *string `json:"session"`
	Token   string  `json:"token"`
}

// fgConn is one connection of the gateway, driven by the test's goroutine.
type fgConn struct {
	net.Conn
	tcp *net.TCPConn // Conn itself, or the connection below TLS
	t   *testing.T
	in  *bufio.Reader
}

func (c *fgConn) send(frames ...frame) {
	c.t.Helper()
	var b []byte
	for _, f := range frames {
		b = f.append(b)
	}
	c.sendBytes(b)
}

func (c *fgConn) sendBytes(b []byte) {
	c.t.Helper()
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("server write: %v", err)
	}
}

// buffered returns and consumes the bytes read from the socket but not decoded yet.
func (c *fgConn) buffered() []byte {
	c.t.Helper()
	b := make([]byte, c.in.Buffered())
	if _, err := io.ReadFull(c.in, b); err != nil {
		c.t.Fatal(err)
	}
	return b
}

// read returns the next frame or the error that ended the stream.
func (c *fgConn) read() (frame, error) {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	return readFrame(c.in)
}

// next returns the next frame other than PING. It answers PINGs, which do not extend its deadline.
func (c *fgConn) next() frame {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	for {
		f, err := readFrame(c.in)
		if err != nil {
			c.t.Fatalf("server read: %v", err)
		}
		if f.op != opPing {
			return f
		}
		c.pong(f.seq)
	}
}

// pong answers a PING. Errors are ignored: the gateway may be closing.
func (c *fgConn) pong(seq uint64) {
	_ = c.SetWriteDeadline(time.Now().Add(patience))
	_, _ = c.Write(frame{op: opPong, seq: seq}.append(nil))
}

// hello reads HELLO and returns its number and payload.
func (c *fgConn) hello() (uint64, hello) {
	c.t.Helper()
	f, err := c.read()
	if err != nil {
		c.t.Fatalf("reading HELLO: %v", err)
	}
	if f.op != opHello || f.code != 0 {
		c.t.Fatalf("first frame is %v, want HELLO with code 0", f)
	}
	var h hello
	if err := json.Unmarshal(f.payload, &h); err != nil {
		c.t.Fatalf("HELLO's payload %q: %v", f.payload, err)
	}
	if h.Version != 1 || h.Session == nil {
		c.t.Fatalf("HELLO's payload %s, want version 1 and a session", f.payload)
	}
	return f.seq, h
}

// welcome reads HELLO and answers it.
func (c *fgConn) welcome(seq uint64, payload string) (uint64, hello) {
	c.t.Helper()
	last, h := c.hello()
	c.send(frame{op: opWelcome, seq: seq, payload: []byte(payload)})
	return last, h
}

// acks reads n ACKs, in any order, and returns their codes by seq. A repeated ACK or another frame
// fails the test.
func (c *fgConn) acks(n int) map[uint64]uint16 {
	c.t.Helper()
	codes := make(map[uint64]uint16, n)
	defer func() {
		if len(codes) < n {
			c.t.Logf("received %d of %d acks", len(codes), n)
		}
	}()
	for len(codes) < n {
		f := c.next()
		if f.op != opAck {
			c.t.Fatalf("got %v after %d of %d acks", f, len(codes), n)
		}
		if _, doubled := codes[f.seq]; doubled {
			c.t.Fatalf("seq %d acknowledged twice", f.seq)
		}
		codes[f.seq] = f.code
	}
	return codes
}

// acked reads one ACK with code 0 for each of the numbers, in any order.
func (c *fgConn) acked(seqs ...uint64) {
	c.t.Helper()
	codes := c.acks(len(seqs))
	for _, seq := range seqs {
		if code, there := codes[seq]; !there || code != 0 {
			c.t.Fatalf("acks %v, want code 0 for each of %d", codes, seqs)
		}
	}
}

// fence sends PING and waits for PONG: the gateway has then read everything sent before. It returns
// the frames received before the PONG.
func (c *fgConn) fence(seq uint64) []frame {
	c.t.Helper()
	c.send(frame{op: opPing, seq: seq})
	var before []frame
	for {
		f := c.next()
		if f.op == opPong && f.seq == seq {
			return before
		}
		before = append(before, f)
	}
}

// untilBye reads up to the gateway's BYE and the end of its stream. It returns the frames before BYE,
// and BYE.
func (c *fgConn) untilBye() ([]frame, frame) {
	c.t.Helper()
	var before []frame
	for {
		f := c.next()
		if f.op == opBye {
			c.end()
			return before, f
		}
		before = append(before, f)
	}
}

// end checks that the gateway's stream ends here, without a reset.
func (c *fgConn) end() {
	c.t.Helper()
	if f, err := c.read(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("got %v, %v; want the end of the stream", f, err)
	}
}

// finish sends BYE with the code, expects n ACKs, the gateway's BYE and its end of stream, and
// closes.
func (c *fgConn) finish(code uint16, n int) {
	c.t.Helper()
	c.send(bye(code))
	c.acks(n)
	before, last := c.untilBye()
	if len(before) > 0 || (last.code != 0 && last.code != 6) {
		c.t.Fatalf("after BYE: %v, then %v", before, last)
	}
	c.close()
}

// leave reads and ignores everything up to the end of the stream, and closes.
func (c *fgConn) leave() {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			c.close()
			return
		}
	}
}

func (c *fgConn) close() {
	c.t.Helper()
	if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		c.t.Fatal(err)
	}
}

// reset closes the connection by a TCP reset.
func (c *fgConn) reset() {
	c.t.Helper()
	if err := c.tcp.SetLinger(0); err != nil {
		c.t.Fatal(err)
	}
	c.close()
}

// connectFG starts a server and a gateway connected to it. WELCOME has seq 1.
func connectFG(t *testing.T, welcome string, args ...string) (*process, *fgServer, *fgConn) {
	t.Helper()
	s := listenFG(t)
	p := run(t, append([]string{s.url()}, args...)...)
	c := s.accept()
	c.welcome(1, welcome)
	return p, s, c
}
