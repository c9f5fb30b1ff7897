package fgcheck

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker/testkit"
)

const (
	serverToken    = "s3cret"
	serverPayload  = "payl0ad"
	serverMessages = 40  // of a session
	serverWindow   = 8   // unacknowledged messages
	partsEvery     = 3   // every third message has parts
	bigSize        = 200 // bytes of a message over the limit of the tests
)

// server is an FG/1 server for one client at a time.
type server struct {
	faults
	address  string
	late     time.Duration // of PONG, if pongLate
	accepted chan struct{} // has a value once a client was accepted
	listener net.Listener

	hanging atomic.Bool // no connection is answered any more

	mu       sync.Mutex // held by the connection that is served
	sessions map[string]*serverSession
}

// serverSession is a session's state.
type serverSession struct {
	name   string
	base   uint64          // the first message that is not done
	done   map[uint64]bool // messages from base on
	sent   uint64          // the last message sent on any connection
	resume bool            // a connection has been lost
}

func newServer(t *testing.T, f faults) *server {
	l := testkit.Listen(t)
	s := &server{
		faults: f, address: l.Addr().String(), late: 3 * time.Second,
		accepted: make(chan struct{}, 1), listener: l, sessions: map[string]*serverSession{},
	}
	var conns sync.WaitGroup
	var open sync.Map
	conns.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(nc, true)
			select {
			case s.accepted <- struct{}{}:
			default:
			}
			conns.Go(func() {
				s.serve(nc)
				_ = nc.Close()
				open.Delete(nc)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		open.Range(func(nc, _ any) bool { return nc.(net.Conn).Close() == nil })
		conns.Wait()
	})
	return s
}

// serverConn is a connection.
type serverConn struct {
	*server
	nc  net.Conn
	r   *bufio.Reader
	ses *serverSession
	top uint64 // the last message sent on this connection
	bye bool   // BYE was sent before the last acks
}

// send sends a frame.
func (c *serverConn) send(op fg1.Op, flags uint8, code uint16, seq uint64, payload string) {
	_, _ = c.nc.Write(fg1.AppendFrame(nil, op, flags, code, seq, []byte(payload)))
}

// serve serves a connection to its end.
func (s *server) serve(nc net.Conn) {
	c := &serverConn{server: s, nc: nc, r: bufio.NewReader(nc)}
	switch {
	case s.unresponsive, s.hanging.Load():
		_, _ = io.Copy(io.Discard, nc)
		return
	case s.garbage != "":
		_, _ = io.WriteString(nc, s.garbage)
		_, _ = io.Copy(io.Discard, nc)
		return
	}
	code, bye := c.login()
	if !bye {
		s.mu.Lock()
		code, bye = c.run()
		c.ses.resume = true
		s.mu.Unlock()
	}
	if !bye || c.bye {
		return
	}
	c.send(fg1.Bye, 0, code, 0, "")
	if c.afterBye {
		c.send(fg1.Data, 0, 0, c.top+1, "late")
	}
	if c.neverClose {
		_, _ = io.Copy(io.Discard, c.r)
		<-time.After(c.late)
		return
	}
	_ = nc.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, c.r)
}

// frame reads a frame; false at the end of the stream.
func (c *serverConn) frame() (fg1.Header, []byte, bool) {
	var head [fg1.HeaderSize]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return fg1.Header{}, nil, false
	}
	h := fg1.ParseHeader(head[:])
	payload := make([]byte, max(0, min(h.Payload(), 1<<16)))
	_, err := io.ReadFull(c.r, payload)
	return h, payload, err == nil
}

// fault is the end after a protocol error.
func (c *serverConn) fault(code uint16) (uint16, bool) {
	if c.dies {
		_ = c.listener.Close()
	}
	if c.faultCode != 0 {
		code = c.faultCode
	}
	return code, !c.closeFault
}

// login reads HELLO and sends WELCOME. With bye, the connection ends with this code. A connection
// that ends without BYE has a session all the same.
func (c *serverConn) login() (code uint16, bye bool) {
	c.ses = &serverSession{}
	h, payload, ok := c.frame()
	if !ok || c.welcomeNothing {
		_ = c.nc.Close()
		return 0, false
	}
	if h.Op != fg1.Hello && !c.anyFirst {
		return fg1.CodeProtocolError, true
	}
	var hello struct{ Session, Token string }
	if json.Unmarshal(payload, &hello) != nil && !c.anyHello && h.Op == fg1.Hello {
		return fg1.CodeBadRequest, true
	}
	if hello.Token != serverToken && c.hangsToken {
		c.hang()
	}
	if hello.Token != serverToken && !c.anyToken && json.Valid(payload) {
		return max(c.tokenCode, fg1.CodeBadToken), true
	}
	if hello.Session != "" && c.refusesOld {
		return fg1.CodeBadRequest, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enter(hello.Session, h.Seq)
	c.sendWelcome()
	return 0, false
}

// enter finds or makes the session.
func (c *serverConn) enter(name string, seq uint64) {
	ses := c.sessions[name]
	if ses == nil || c.forgets {
		ses = &serverSession{name: fmt.Sprintf("session-%d", len(c.sessions)), base: 1, done: map[uint64]bool{}}
		if c.believes && name != "" {
			ses.name = name
		}
		c.sessions[ses.name] = ses
	}
	if ses.resume && seq >= ses.base && c.trustHello {
		ses.base = seq + 2
	}
	c.ses = ses
}

// sendWelcome sends WELCOME.
func (c *serverConn) sendWelcome() {
	ms, name := 5000, c.ses.name
	if c.heartbeat != 0 {
		ms = c.heartbeat
	}
	if c.namesless {
		name = ""
	}
	payload := fmt.Sprintf(`{"session":%q,"heartbeat_ms":%d,"acks":["each","range"]}`, name, ms)
	if c.badWelcome != "" {
		payload = c.badWelcome
	}
	first := c.ses.base
	switch {
	case c.ses.resume && c.resumeHigh:
		first++
	case c.ses.resume && c.resumeLow:
		first--
	}
	if c.early {
		c.send(fg1.Data, 0, 0, first, "early")
	}
	c.send(fg1.Welcome, 0, 0, first, payload)
	if c.twice {
		c.send(fg1.Welcome, 0, 0, first, payload)
	}
	c.top = c.ses.base - 1
}

// run serves a session. With bye, the connection ends with this code.
func (c *serverConn) run() (code uint16, bye bool) {
	if c.flood() {
		return 0, false
	}
	window := uint64(serverWindow)
	if c.byeFirst {
		window = serverMessages
	}
	for {
		if c.ses.base > serverMessages && !c.bye {
			return c.endCode, !c.closeEnd
		}
		for c.top < min(c.ses.base+window-1, serverMessages) {
			c.top++
			c.message(c.top)
			c.ses.sent = max(c.ses.sent, c.top)
		}
		if c.byeFirst && !c.bye {
			c.send(fg1.Bye, 0, 0, 0, "")
			c.bye = true
		}
		h, _, ok := c.frame()
		if !ok {
			return 0, false
		}
		code, bye, ended := c.handle(h)
		if ended {
			return code, bye
		}
	}
}

// hang answers nothing any more, on any connection.
func (c *serverConn) hang() {
	c.hanging.Store(true)
	_, _ = io.Copy(io.Discard, c.r)
}

// handle handles a frame. If it ends the connection, ended is true.
func (c *serverConn) handle(h fg1.Header) (code uint16, bye, ended bool) {
	switch {
	case h.Payload() < 0 && !c.anyLength && !c.answersShort, h.Flags != 0 && !c.anyFlags:
		code, bye = c.fault(fg1.CodeProtocolError)
		return code, bye, true
	case h.Payload() < 0 && !c.answersShort:
	case h.Op == fg1.Ack && h.Seq > c.ses.sent && c.hangsUnsent:
		c.hang()
	case h.Op == fg1.Ack:
		c.ack(h.Seq, h.Code)
	case h.Op == fg1.AckTo:
		c.ackTo(h.Seq)
	case h.Op == fg1.Ping:
		c.pong(h.Seq)
	case h.Op == fg1.Pong:
	case h.Op == fg1.Bye:
		return 0, true, true
	case !c.anyOp:
		code, bye = c.fault(fg1.CodeProtocolError)
		return code, bye, true
	}
	return 0, false, false
}
