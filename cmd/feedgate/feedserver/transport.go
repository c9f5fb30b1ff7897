package feedserver

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// transport is what a [tls.Conn] takes for its network: a buffer each way, filled
// and emptied by the loop. During the handshake, Read waits; later it returns an
// error that crypto/tls takes for a passing one, and goes on behind it, even in the
// middle of a record. Any goroutine may call its methods.
type transport struct {
	local, remote net.Addr

	mu      sync.Mutex
	changed sync.Cond
	in      bytes.Buffer // received, not read yet
	out     bytes.Buffer // written, not taken by the socket yet
	settled bool         // Read does not wait
	closed  bool
	wake    func() // tells the loop of output, until settled
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
	for t.in.Len() == 0 && !t.closed && !t.settled {
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

// Write implements [net.Conn]. It takes everything.
func (t *transport) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.out.Write(p)
	settled := t.settled
	t.mu.Unlock()
	if !settled {
		t.wake()
	}
	return len(p), nil
}

// feed gives Read something to read.
func (t *transport) feed(b []byte) {
	t.mu.Lock()
	t.in.Write(b)
	t.changed.Signal()
	t.mu.Unlock()
}

// settle ends the time in which Read waits.
func (t *transport) settle() {
	t.mu.Lock()
	t.settled = true
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

// flush has write take the output, until that says that it is full.
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

// owed is how many bytes flush has still to write.
func (t *transport) owed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Len()
}

// LocalAddr implements [net.Conn].
func (t *transport) LocalAddr() net.Addr { return t.local }

// RemoteAddr implements [net.Conn].
func (t *transport) RemoteAddr() net.Addr { return t.remote }

// Deadlines are the loop's business: [conn.tick] knows of those that matter.

// SetDeadline implements [net.Conn].
func (t *transport) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements [net.Conn].
func (t *transport) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements [net.Conn].
func (t *transport) SetWriteDeadline(time.Time) error { return nil }
