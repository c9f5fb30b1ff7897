// Package toylogtest is a log server for tests of the sink toylog, on real sockets. A test can make
// it fail.
package toylogtest

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Answer is what the server does with a message. Values without a name are sent as they are, and
// nothing is stored.
type Answer byte

const (
	Stored Answer = 0
	Busy   Answer = 1
	Never  Answer = 2

	Reset Answer = 0xFD // resets the connection
	Lost  Answer = 0xFE // stores the message, and resets the connection without an answer
	Hang  Answer = 0xFF // stores and answers nothing from now on

	gone Answer = 0xFC // the client has closed the connection
)

// Message is a stored message.
type Message struct{ Key, Data string }

// Log is a log on one or more hosts. Its functions are set before the first Serve, and called one
// at a time.
type Log struct {
	// Login returns the answer to HELLO; nil: OK.
	Login func(stream, user, password string) string
	// Answer decides what to do with a message; nil: Stored.
	Answer func(m Message) Answer

	mu      sync.Mutex
	logins  []string
	stored  []Message
	batches []int
}

// Host is one address of a log.
type Host struct {
	Addr string

	log    *Log
	ln     net.Listener
	served sync.WaitGroup

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

// Listen starts a host at HOST:PORT. It ends with Close or the test.
func (l *Log) Listen(t testing.TB, addr string) *Host {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l.Serve(t, ln)
}

// Serve starts a host with a listener. It ends with Close or the test.
func (l *Log) Serve(t testing.TB, ln net.Listener) *Host {
	h := &Host{Addr: ln.Addr().String(), log: l, ln: ln}
	h.served.Go(h.accept)
	t.Cleanup(h.Close)
	return h
}

func (h *Host) accept() {
	for {
		conn, err := h.ln.Accept()
		if err != nil {
			return
		}
		h.mu.Lock()
		if h.closed {
			conn.Close()
		}
		h.conns = append(h.conns, conn)
		h.mu.Unlock()
		h.served.Go(func() {
			defer conn.Close()
			h.log.serve(conn)
		})
	}
}

// Close ends the host and all its connections. Only the first call has an effect.
func (h *Host) Close() {
	h.ln.Close()
	h.mu.Lock()
	h.closed = true
	for _, conn := range h.conns {
		conn.Close()
	}
	h.mu.Unlock()
	h.served.Wait()
}

// serve serves a connection until it ends.
func (l *Log) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	fields := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	if err != nil || len(fields) != 4 || fields[0] != "HELLO" {
		return
	}
	answer := l.login(fields[1], fields[2], fields[3])
	if _, err := io.WriteString(conn, answer+"\n"); err != nil || answer != "OK" {
		return
	}
	for l.batch(conn, r) {
	}
}

func (l *Log) login(stream, user, password string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logins = append(l.logins, stream+" "+user+" "+password)
	if l.Login == nil {
		return "OK"
	}
	return l.Login(stream, user, password)
}

// batch reads and answers a batch. It returns false if the connection has ended.
func (l *Log) batch(conn net.Conn, r io.Reader) bool {
	var count [4]byte
	if _, err := io.ReadFull(r, count[:]); err != nil {
		return false
	}
	n := int(binary.BigEndian.Uint32(count[:]))
	l.mu.Lock()
	l.batches = append(l.batches, n)
	l.mu.Unlock()
	var messages []Message
	for range n {
		key, errKey := field(r)
		data, err := field(r)
		if errKey != nil || err != nil {
			return false
		}
		messages = append(messages, Message{key, data})
	}
	for _, m := range messages {
		switch answer := l.store(conn, m); answer {
		case gone:
			return false
		case Reset, Lost:
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			return false
		case Hang:
			_, _ = io.Copy(io.Discard, r)
			return false
		default:
			if _, err := conn.Write([]byte{byte(answer)}); err != nil {
				return false
			}
		}
	}
	return true
}

// store stores nothing once the client has closed the connection, as the protocol demands: the
// client may have sent the message again, and later ones of its key. The lock is held from before
// the check until after the store, so that what is sent again is stored after that.
func (l *Log) store(conn net.Conn, m Message) Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if closed(conn) {
		return gone
	}
	answer := Stored
	if l.Answer != nil {
		answer = l.Answer(m)
	}
	if answer == Stored || answer == Lost {
		l.stored = append(l.stored, m)
	}
	return answer
}

// closed reports whether the client has closed the connection; with TLS it is always false.
func closed(conn net.Conn) (yes bool) {
	socket, ok := conn.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		yes = n <= 0 && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return yes || err != nil
}

// field reads a length and that many bytes. It allocates as they arrive.
func field(r io.Reader) (string, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return "", err
	}
	var s strings.Builder
	_, err := io.CopyN(&s, r, int64(binary.BigEndian.Uint32(length[:])))
	return s.String(), err
}

// Stored returns the messages stored so far, in order. One that was stored twice is there twice.
func (l *Log) Stored() []Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.stored)
}

// Logins returns the text after HELLO of each login so far.
func (l *Log) Logins() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.logins)
}

// Batches returns the number of messages in each batch so far.
func (l *Log) Batches() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.batches)
}
