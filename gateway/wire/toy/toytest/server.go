// Package toytest is a TOY/1 server for tests. It checks everything that the client does.
package toytest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"feedgate/gateway/wire/toy"
)

// Message is one message of the channel.
type Message struct {
	ID          uint64
	Topic, Data string
}

// Config configures a server.
type Config struct {
	Channel, Token string
	Messages       []Message
	Window         uint16 // most messages that the client may grant
	Limit          int    // most messages that its own settings let it grant
	ResetAfter     int    // acks after which the first connection is reset; 0: never
	Overrun        bool   // on the first connection, messages are sent without credit
}

// Report is what a server has observed.
type Report struct {
	Connections int
	Codes       []uint16 // of acks, in the order of messages
	Credits     int      // frames
	Pings       int
	Goodbyes    int   // of the client
	Fault       error // the client's first fault
}

// Server serves one connection at a time. A connection begins with the first unacknowledged
// message.
type Server struct {
	cfg      Config
	listener net.Listener

	mu     sync.Mutex
	report Report
}

// Start starts a server. It stops when the test ends.
func Start(t testing.TB, cfg Config) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{cfg: cfg, listener: listener}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.serve(conn.(*net.TCPConn))
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return s
}

// Addr returns the server's HOST:PORT.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Report returns the observations so far.
func (s *Server) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Codes = slices.Clone(r.Codes)
	return r
}

// connTimeout limits the life of a connection.
const connTimeout = 30 * time.Second

func (s *Server) serve(conn *net.TCPConn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(connTimeout))
	p := &peer{Server: s, conn: conn, in: bufio.NewReader(conn)}
	s.mu.Lock()
	s.report.Connections++
	first := s.report.Connections == 1
	p.sent, p.overrun = len(s.report.Codes), first && s.cfg.Overrun
	s.mu.Unlock()
	if err := p.run(first); err != nil && !errors.Is(err, io.EOF) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.report.Fault == nil {
			s.report.Fault = err
		}
	}
}

// peer is one connection.
type peer struct {
	*Server
	conn *net.TCPConn
	in   *bufio.Reader

	sent    int // messages, including those of earlier connections
	credit  int
	overrun bool // as in Config
	left    bool // the client sent its goodbye
}

// run serves the connection. It returns the client's fault, or nil.
func (p *peer) run(first bool) error {
	kind, body, err := p.read()
	if err != nil {
		return err
	}
	if kind != toy.Login {
		return fmt.Errorf("frame %c before login", kind)
	}
	if channel, token, _ := bytes.Cut(body, []byte("\n")); string(channel) != p.cfg.Channel || string(token) != p.cfg.Token {
		_, err := p.conn.Write(toy.AppendFrame(nil, toy.Refused, []byte("no such channel, or not for you")...))
		return err
	}
	if _, err := p.conn.Write(toy.AppendFrame(nil, toy.Accepted, binary.BigEndian.AppendUint16(nil, p.cfg.Window)...)); err != nil {
		return err
	}
	for {
		if err := p.handle(); err != nil {
			return err
		}
		acked, left := p.acked()
		if left {
			return nil
		}
		if first && p.cfg.ResetAfter > 0 && acked >= p.cfg.ResetAfter {
			return p.conn.SetLinger(0)
		}
		if acked == len(p.cfg.Messages) {
			return p.goodbye()
		}
		if err := p.send(); err != nil {
			return err
		}
	}
}

// acked returns the number of messages acked, and whether the client has sent its goodbye.
func (p *peer) acked() (n int, left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.report.Codes), p.left
}

// goodbye sends a goodbye and reads until the client closes the connection.
func (p *peer) goodbye() error {
	_, err := p.conn.Write(toy.AppendFrame(nil, toy.Goodbye))
	for err == nil {
		err = p.handle()
	}
	return err
}

// send sends as many messages as the credit allows.
func (p *peer) send() error {
	var out []byte
	for p.sent < len(p.cfg.Messages) && (p.credit > 0 || p.overrun) {
		m := p.cfg.Messages[p.sent]
		out = toy.AppendMessage(out, m.ID, m.Topic, m.Data)
		p.sent++
		p.credit--
	}
	_, err := p.conn.Write(out)
	return err
}

// handle handles the client's next frame.
func (p *peer) handle() error {
	kind, body, err := p.read()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.report
	switch kind {
	case toy.Ack:
		next := len(r.Codes)
		if next == p.sent || len(body) != 10 || binary.BigEndian.Uint64(body) != p.cfg.Messages[next].ID {
			return fmt.Errorf("ack % x while %d of %d messages are acked", body, next, p.sent)
		}
		r.Codes = append(r.Codes, binary.BigEndian.Uint16(body[8:]))
	case toy.Credit:
		r.Credits++
		p.credit += int(binary.BigEndian.Uint32(body))
		if open := p.credit + p.sent - len(r.Codes); open > min(p.cfg.Limit, int(p.cfg.Window)) {
			return fmt.Errorf("credit of %d makes %d messages that may be sent and not acked", p.credit, open)
		}
	case toy.Ping:
		r.Pings++
		_, err = p.conn.Write(toy.AppendFrame(nil, toy.Pong))
	case toy.Goodbye:
		r.Goodbyes++
		p.left = true
	default:
		return fmt.Errorf("frame %c from the client", kind)
	}
	return err
}

// read reads a frame.
func (p *peer) read() (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return 0, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint32(head[:])-1)
	_, err = io.ReadFull(p.in, body)
	return head[4], body, err
}
