package feedserver

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// transport is the network connection of a [tls.Conn]: one buffer for each direction, which the loop
// fills and empties. During the handshake, Read blocks. Later it returns a timeout error, after which
// crypto/tls continues, even within a record. Any goroutine may call its methods.
type transport struct {
	local, remote net.Addr

	mu          sync.Mutex
	changed     sync.Cond
	in          bytes.Buffer // received, not read yet
	out         bytes.Buffer // written, not accepted by the socket yet
	nonblocking bool         // Read does not block
	closed      bool
	wake        func() // makes the loop flush; called until nonblocking
}

func newTransport(local, remote net.Addr, wake func()) *transport {
	t := &transport{local: local, remote: remote, wake: wake}
	t.changed.L = &t.mu
	return t
}

// Read implements [net.Conn].
func (t *transport) Read(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.in.Len() == 0 && !t.closed && !t.nonblocking {
		t.changed.Wait()
	}
	switch {
	case t.in.Len() > 0:
		return t.in.Read(p)
	case t.closed:
		return 0, io.EOF
	default:
		return 0, os.ErrDeadlineExceeded
	}
}

// Write implements [net.Conn]. It accepts everything.
func (t *transport) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.out.Write(p)
	nonblocking := t.nonblocking
	t.mu.Unlock()
	if !nonblocking {
		t.wake()
	}
	return len(p), nil
}

// feed appends received bytes for Read.
func (t *transport) feed(b []byte) {
	t.mu.Lock()
	t.in.Write(b)
	t.changed.Signal()
	t.mu.Unlock()
}

// stopBlocking ends the time in which Read blocks.
func (t *transport) stopBlocking() {
	t.mu.Lock()
	t.nonblocking = true
	t.changed.Signal()
	t.mu.Unlock()
}

// Close implements [net.Conn].
func (t *transport) Close() error {
	t.mu.Lock()
	t.closed = true
	t.changed.Signal()
	t.mu.Unlock()
	return nil
}

// flush passes the output to write until write reports that it is full.
func (t *transport) flush(write func(p []byte) (n int, full bool, err error)) (full bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.out.Len() > 0 && !full && err == nil {
		var n int
		n, full, err = write(t.out.Bytes())
		t.out.Next(n)
	}
	return full, err
}

// buffered is the number of bytes that flush has not written yet.
func (t *transport) buffered() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Len()
}

// LocalAddr implements [net.Conn].
func (t *transport) LocalAddr() net.Addr { return t.local }

// RemoteAddr implements [net.Conn].
func (t *transport) RemoteAddr() net.Addr { return t.remote }

// Deadlines have no effect: [conn.tick] checks those of a connection.

// SetDeadline implements [net.Conn].
func (t *transport) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements [net.Conn].
func (t *transport) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements [net.Conn].
func (t *transport) SetWriteDeadline(time.Time) error { return nil }
