package feedserver

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"slices"
)

const (
	// recordBytes is the most plaintext of a TLS record.
	recordBytes = 16 << 10
	// sealBytes is the plaintext that is encrypted, in full records, before it is written to the socket.
	// It fits into a core's cache.
	sealBytes = 4 * recordBytes
	// maxSealed limits, like maxReplies, the bytes buffered for a client that does not read: encrypted
	// ones, and TLS's own replies.
	maxSealed = sealBytes + maxReplies
)

// tlsConn is the TLS of a connection. The handshake is one blocking call on a goroutine of its own; the
// loop only copies bytes to and from it. After it, the goroutine ends and the loop owns tls, which
// then decrypts and encrypts without blocking.
type tlsConn struct {
	c    *conn
	tls  *tls.Conn
	wire *transport

	up        bool // the handshake has succeeded
	broken    bool // the handshake or a record after it was invalid
	notified  bool // close_notify was sent
	peerEnded bool // close_notify was received
}

// startTLS begins the handshake.
func (c *conn) startTLS() {
	l := c.l
	wire := newTransport(c.g.LocalAddr(), c.g.RemoteAddr(), func() {
		l.tasks.post(func() {
			l.updateNow()
			c.pump()
		})
	})
	s := &tlsConn{c: c, tls: tls.Server(wire, l.cfg.TLS), wire: wire}
	c.sec = s
	l.handshakes.Go(func() {
		err := s.tls.Handshake()
		l.tasks.post(func() { c.handshakeDone(err) })
	})
}

// handshakeDone continues the connection on the loop after the handshake has ended with err.
func (c *conn) handshakeDone(err error) {
	c.l.updateNow()
	if c.killed {
		return
	}
	c.sec.wire.stopBlocking()
	if err != nil {
		c.failTLS(err)
		c.pump()
		return
	}
	c.sec.up = true
	if !c.l.traits.login {
		c.l.admit(c)
	}
	if !c.killed {
		c.receive(nil) // the bytes received after the handshake's last
	}
}

// failTLS ends the connection after an error of TLS, without an end frame: crypto/tls has sent an alert.
func (c *conn) failTLS(err error) {
	switch {
	case !c.sec.up:
		c.l.log.Warn("TLS handshake failed", "client", c.name(), "error", err)
		c.l.failedHandshakes++
	case c.ses == nil:
		c.l.log.Warn("TLS failed", "client", c.name(), "error", err)
		c.l.rejected++
	default:
		c.l.log.Warn("TLS failed", "client", c.name(), "error", err)
		c.ses.protocolErrors++
	}
	c.sec.broken, c.discarding = true, true
	c.replies = nil
	c.dropUnsent()
	c.close()
}

// closeTLS releases the TLS of a connection that has ended with err. It returns err, but an end of the
// stream is [io.EOF] only after close_notify, else [io.ErrUnexpectedEOF].
func (c *conn) closeTLS(err error) error {
	s := c.sec
	_ = s.wire.Close()
	switch {
	case !s.up && !s.broken:
		c.l.log.Warn("TLS handshake failed", "client", c.name(), "error", err)
		c.l.failedHandshakes++
	case s.peerEnded:
		return io.EOF
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}

// decrypt returns the plaintext of received bytes, valid until the next call for any connection. err is
// what follows the plaintext: [io.EOF] for close_notify.
func (s *tlsConn) decrypt(b []byte) (plain []byte, err error) {
	s.wire.feed(b)
	if !s.up {
		return nil, nil
	}
	l := s.c.l
	plain = l.plain[:0]
	for err == nil {
		plain = slices.Grow(plain, recordBytes)
		var n int
		n, err = s.tls.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
	}
	l.plain = plain
	if errors.Is(err, os.ErrDeadlineExceeded) { // the transport is empty
		err = nil
	}
	return plain, err
}

// write is [writeSocket] through TLS.
func (s *tlsConn) write(p []byte) (n int, full bool, err error) {
	for n < len(p) && !full {
		k := min(len(p)-n, sealBytes)
		if _, err := s.tls.Write(p[n : n+k]); err != nil {
			return n, false, err
		}
		n += k
		if full, err = s.flush(); err != nil {
			return n, false, err
		}
	}
	return n, full, nil
}

// flush writes the encrypted bytes to the socket, split if Chaos is set.
func (s *tlsConn) flush() (full bool, err error) {
	return s.wire.flush(func(p []byte) (int, bool, error) {
		return writeSocket(s.c.fd, p[:s.c.piece(len(p))])
	})
}

// notify queues close_notify; false if TLS is not up or has sent it.
func (s *tlsConn) notify() bool {
	if s.notified || s.broken || !s.up {
		return false
	}
	s.notified = true
	_ = s.tls.CloseWrite() // the transport accepts everything
	return true
}

// replyCloseNotify answers a client's close_notify and closes the socket.
func (c *conn) replyCloseNotify() {
	c.sec.peerEnded = true
	if !c.killed && c.sec.notify() {
		_, _ = c.sec.flush()
	}
	c.kill()
}
