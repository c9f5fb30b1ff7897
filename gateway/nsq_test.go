package gateway

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// testNSQD is an nsqd played by the test (https://nsq.io/clients/tcp_protocol_spec.html).
type testNSQD struct {
	t  *testing.T
	ln *net.TCPListener
}

func newTestNSQD(t *testing.T) *testNSQD {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &testNSQD{t, ln.(*net.TCPListener)}
}

func (s *testNSQD) url() string { return "nsq://" + s.ln.Addr().String() + "/t/c" }

// accept accepts a connection and plays the login up to SUB.
func (s *testNSQD) accept() *nsqdConn {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	s.ln.SetDeadline(deadline)
	conn, err := s.ln.AcceptTCP()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(deadline)
	c := &nsqdConn{s.t, conn, bufio.NewReader(conn)}
	if got := c.line(); got != "  V2IDENTIFY" {
		s.t.Fatalf("%q", got)
	}
	var size [4]byte
	if _, err := io.ReadFull(c.in, size[:]); err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.in.Discard(int(binary.BigEndian.Uint32(size[:]))); err != nil {
		s.t.Fatal(err)
	}
	c.frame(0, `{"max_rdy_count":2500,"msg_timeout":60000,"max_msg_timeout":900000}`)
	c.expect("SUB t c")
	return c
}

// subscribed accepts a connection and plays the login up to RDY.
func (s *testNSQD) subscribed() *nsqdConn {
	s.t.Helper()
	c := s.accept()
	c.frame(0, "OK")
	c.expect("RDY 2500")
	return c
}

type nsqdConn struct {
	t *testing.T
	*net.TCPConn
	in *bufio.Reader
}

func (c *nsqdConn) frame(kind uint32, data string) {
	c.t.Helper()
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(data)))
	b = append(binary.BigEndian.AppendUint32(b, kind), data...)
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// message sends message n, for the first time.
func (c *nsqdConn) message(n, size int) {
	c.t.Helper()
	c.frame(2, fmt.Sprintf("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01%016x%s", n, strings.Repeat("x", size)))
}

func (c *nsqdConn) line() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%q, %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (c *nsqdConn) expect(want string) {
	c.t.Helper()
	if got := c.line(); got != want {
		c.t.Fatalf("%q, want %q", got, want)
	}
}

// ends expects that r sends nothing more and ends without an error.
func (c *nsqdConn) ends(r *running) {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		c.t.Errorf("%q, %v", rest, err)
	}
	c.Close()
	if err := r.wait(); err != nil {
		c.t.Error(err)
	}
}

// blocking returns a handler that sends to begun for each message and then blocks until goOn is
// closed.
func blocking() (f func(worker.Message) worker.Code, begun chan struct{}, goOn chan struct{}) {
	begun, goOn = make(chan struct{}, 100), make(chan struct{})
	return func(worker.Message) worker.Code {
		begun <- struct{}{}
		<-goOn
		return worker.OK
	}, begun, goOn
}

// TestNSQGoneInDrain: if nsqd closes right after its answer to CLS, as at a shutdown, unfinished
// messages make Run fail: their FINs cannot be sent.
func TestNSQGoneInDrain(t *testing.T) {
	s := newTestNSQD(t)
	f, begun, goOn := blocking()
	r := start(t, testConfig(t, s.url(), f))
	c := s.subscribed()
	c.message(1, 1)
	<-begun
	r.cancel()
	c.expect("CLS")
	c.frame(0, "CLOSE_WAIT")
	c.Close()
	waitFor(t, func() bool { return !r.g.Stats().Connected.Load() })
	close(goOn)
	if err := r.wait(); !errors.Is(err, ErrUnfinished) {
		t.Errorf("error %v, want ErrUnfinished", err)
	}
}

// TestNSQBehindTheAnswer: a message that nsqd sends just after its answer to CLS is handled.
func TestNSQBehindTheAnswer(t *testing.T) {
	s := newTestNSQD(t)
	r := start(t, testConfig(t, s.url(), accept))
	c := s.subscribed()
	c.message(1, 1)
	c.expect(fmt.Sprintf("FIN %016x", 1))
	r.cancel()
	c.expect("CLS")
	c.frame(0, "CLOSE_WAIT")
	c.message(2, 1) // immediately: two threads of nsqd race
	c.expect(fmt.Sprintf("FIN %016x", 2))
	c.ends(r)
}

// TestNSQRefusedBehindWork: a refused login does not wait for messages of an earlier connection.
func TestNSQRefusedBehindWork(t *testing.T) {
	s := newTestNSQD(t)
	f, begun, goOn := blocking()
	r := start(t, testConfig(t, s.url(), f))
	c := s.subscribed()
	c.message(1, 1)
	<-begun
	c.Close()
	c = s.accept()
	c.frame(1, "E_UNAUTHORIZED AUTH failed")
	c.Close()
	c = s.subscribed()
	close(goOn)
	r.cancel()
	c.expect("CLS")
	c.frame(0, "CLOSE_WAIT")
	c.ends(r)
}

// TestShare: a slow worker gets no more than its share of nsqd's messages in flight; the others
// get the rest.
func TestShare(t *testing.T) {
	const messages = 6000
	share := int64((&wire.Settings{InFlight: 2500, Workers: 2}).WorkerShare())
	s := newTestNSQD(t)
	var begun atomic.Bool
	var others atomic.Int64
	goOn := make(chan struct{})
	r := start(t, testConfig(t, s.url(), func(worker.Message) worker.Code {
		if begun.CompareAndSwap(false, true) {
			<-goOn
		} else {
			others.Add(1)
		}
		return worker.OK
	}))
	c := s.subscribed()
	var all []byte
	for n := range messages {
		all = append(all, 0, 0, 0, 4+8+2+16+1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
		all = append(fmt.Appendf(all, "%016x", n), 'x')
	}
	if _, err := c.Write(all); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return others.Load() >= messages-share })
	close(goOn)
	for range messages {
		if got := c.line(); !strings.HasPrefix(got, "FIN ") {
			t.Fatal(got)
		}
	}
	r.cancel()
	c.expect("CLS")
	c.frame(0, "CLOSE_WAIT")
	c.ends(r)
}
