package feedserver

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"slices"
)

const (
	// recordBytes is the most that a record of TLS holds.
	recordBytes = 16 << 10
	// sealBytes is how much is sealed at once, in records that are full, before it
	// goes to the socket: it stays in a core's cache.
	sealBytes = 4 * recordBytes
	// maxSealed bounds, like maxReplies, what a client that does not read can make the
	// feed owe it: what was sealed, and answers that TLS gives by itself.
	maxSealed = sealBytes + maxReplies
)

// secure is the TLS of a connection. The handshake, one blocking call, has a
// goroutine of its own, to which the loop only carries bytes. Then the goroutine
// ends, and conn is the loop's: it opens what has arrived and seals what goes to
// the socket, without waiting.
type secure struct {
	c    *conn
	tls  *tls.Conn
	wire *transport

	up        bool // the handshake is over, and went well
	broken    bool // it failed, or what came after it
	notified  bool // close_notify was sent
	peerEnded bool // close_notify was received
}

// secure begins the handshake.
func (c *conn) secure() {
	l := c.l
	wire := newTransport(c.g.LocalAddr(), c.g.RemoteAddr(), func() {
		l.tasks.run(func() {
			l.look()
			c.pump()
		})
	})
	s := &secure{c: c, tls: tls.Server(wire, l.cfg.TLS), wire: wire}
	c.sec = s
	l.handshakes.Go(func() {
		err := s.tls.Handshake()
		l.tasks.run(func() { c.secured(err) })
	})
}

// secured takes the connection over from the handshake.
func (c *conn) secured(err error) {
	c.l.look()
	if c.killed {
		return
	}
	c.sec.wire.settle()
	if err != nil {
		c.insecure(err)
		c.pump()
		return
	}
	c.sec.up = true
	if !c.l.traits.login {
		c.l.admit(c)
	}
	if !c.killed {
		c.receive(nil) // what came along with the handshake's end
	}
}

// insecure ends the connection for a fault of TLS. It says no goodbye: an alert is
// on its way already.
func (c *conn) insecure(err error) {
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
	c.sec.broken, c.deaf = true, true
	c.replies = nil
	c.withdraw()
	c.close()
}

// unsecure ends TLS with the connection, and returns err as it is to be understood:
// the end of the stream is [io.EOF] only where the client has said so.
func (c *conn) unsecure(err error) error {
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

// open takes what has arrived and returns what it says, valid until the next call
// for any connection. err, if any, is behind that: [io.EOF] for close_notify.
func (s *secure) open(b []byte) (plain []byte, err error) {
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
	if errors.Is(err, os.ErrDeadlineExceeded) { // that was all
		err = nil
	}
	return plain, err
}

// write is [writeSocket] with TLS between.
func (s *secure) write(p []byte) (n int, full bool, err error) {
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

// flush writes what is sealed, in pieces where chaos wants that.
func (s *secure) flush() (full bool, err error) {
	return s.wire.flush(func(p []byte) (int, bool, error) {
		return writeSocket(s.c.fd, p[:s.c.piece(len(p))])
	})
}

// notify sends close_notify. It returns false when there is nothing to send.
func (s *secure) notify() bool {
	if s.notified || s.broken || !s.up {
		return false
	}
	s.notified = true
	_ = s.tls.CloseWrite() // the transport takes everything
	return true
}

// hangUp answers a client's close_notify and closes.
func (c *conn) hangUp() {
	c.sec.peerEnded = true
	if !c.killed && c.sec.notify() {
		_, _ = c.sec.flush()
	}
	c.kill()
}
