package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// recordSize is the maximum plaintext of a TLS record (RFC 8446, section 5.1).
const recordSize = 16 << 10

// maxPending is the most encrypted bytes that may wait for the kernel. Only answers to key updates can
// make it more than one record.
const maxPending = 4 * recordSize

// errNoCloseNotify means that the stream ended without close_notify: an attacker may have truncated it
// (RFC 8446, section 6.1).
var errNoCloseNotify = errors.New("the connection ended without close_notify")

// tlsSocket is a transport that uses TLS over a socket. Like socket, it is for one goroutine, and no
// method blocks: crypto/tls reads from the socket through pipe, and pipe holds the bytes that crypto/tls
// writes until the kernel accepts them.
//
// Plaintext counts as sent once the kernel has accepted the whole record. If it accepts only a part,
// pipe keeps the rest; the caller will offer that plaintext again, and send then skips it.
type tlsSocket struct {
	*socket
	conn          *tls.Conn
	pipe          *tlsPipe
	sealed        int // plaintext bytes in the record that pipe keeps
	plain         []byte
	notifySent    bool // close_notify was written
	certRequested bool // the server requested a certificate and we have none
	maybeBuffered bool // conn may have bytes or an error without a new edge
}

// secure does the TLS handshake over conn, which it closes on an error. It takes ownership of cfg.
func secure(ctx context.Context, conn *net.TCPConn, cfg *tls.Config) (*tlsSocket, error) {
	pipe := &tlsPipe{Conn: conn}
	// Bytes may have arrived together with the end of the handshake.
	s := &tlsSocket{pipe: pipe, plain: make([]byte, 0, recordSize), maybeBuffered: true}
	if len(cfg.Certificates) == 0 {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			s.certRequested = true
			return new(tls.Certificate), nil
		}
	}
	s.conn = tls.Client(pipe, cfg)
	if err := s.conn.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, asTLS(err, s.certRequested)
	}
	fd, err := takeSocket(conn)
	if err != nil {
		return nil, err
	}
	s.socket = newSocket(fd)
	pipe.Conn, pipe.sock = nil, s.socket
	return s, nil
}

// recv implements transport. It decrypts record by record until b is full.
func (s *tlsSocket) recv(b []byte) (int, error) {
	n := 0
	s.maybeBuffered = false
	if s.pipe.pending() > maxPending {
		return 0, tlsError{errors.New("the server does not read the answers to its key updates")}
	}
	for n < len(b) {
		k, err := s.conn.Read(b[n:])
		n += k
		if err == nil {
			continue
		}
		// Read answers a KeyUpdate. If the answer cannot be sent, that is an error only once the
		// peer's last bytes are read: close_notify may be among them.
		flushErr := s.pipe.flush()
		switch {
		case errors.Is(err, errNotReady) && n > 0:
			return n, nil
		case errors.Is(err, errNotReady) && flushErr != nil && !wouldBlock(flushErr):
			return 0, flushErr
		case errors.Is(err, errNotReady):
			return 0, unix.EAGAIN
		case n > 0:
			s.maybeBuffered = true
			return n, nil
		case err == io.EOF && s.pipe.ended:
			return 0, errNoCloseNotify
		case err == io.EOF:
			return 0, nil
		default:
			return 0, asTLS(err, s.certRequested)
		}
	}
	return n, nil
}

// buffered implements transport.
func (s *tlsSocket) buffered() bool { return s.maybeBuffered }

// send implements transport. It encrypts msgs record by record until the kernel accepts no more.
func (s *tlsSocket) send(msgs [][]byte) (int, error) {
	if err := s.pipe.flush(); err != nil {
		return 0, err
	}
	sent, skip := s.sealed, s.sealed
	s.sealed = 0
	for {
		for len(msgs) > 0 && skip >= len(msgs[0]) {
			skip -= len(msgs[0])
			msgs = msgs[1:]
		}
		if len(msgs) == 0 {
			return sent, nil
		}
		record := s.nextRecord(msgs, skip)
		if _, err := s.conn.Write(record); err != nil {
			return sent, asTLS(err, s.certRequested)
		}
		if err := s.pipe.flush(); err != nil {
			s.sealed = len(record)
			if sent > 0 && wouldBlock(err) {
				return sent, nil
			}
			return sent, err
		}
		sent += len(record)
		skip += len(record)
	}
}

// nextRecord returns the plaintext of the next record, starting skip bytes into msgs. It is valid until
// the next call.
func (s *tlsSocket) nextRecord(msgs [][]byte, skip int) []byte {
	if m := msgs[0][skip:]; len(m) >= recordSize {
		return m[:recordSize]
	}
	s.plain = s.plain[:0]
	for _, m := range msgs {
		m = m[skip:]
		skip = 0
		s.plain = append(s.plain, m[:min(len(m), recordSize-len(s.plain))]...)
		if len(s.plain) == recordSize {
			break
		}
	}
	return s.plain
}

// closeSend implements transport. It sends close_notify first.
func (s *tlsSocket) closeSend() error {
	if !s.notifySent {
		s.notifySent = true
		if err := s.conn.CloseWrite(); err != nil {
			return asTLS(err, s.certRequested)
		}
	}
	if err := s.pipe.flush(); err != nil {
		return err
	}
	return s.socket.closeSend()
}

// untransmitted implements transport. It counts encrypted bytes, which are more than the plaintext.
func (s *tlsSocket) untransmitted() int { return s.socket.untransmitted() + s.pipe.pending() }

func (s *tlsSocket) socketError() error { return s.socket.socketError() }

func (s *tlsSocket) tcpClosed() bool { return s.socket.tcpClosed() }

func (s *tlsSocket) unacked() int { return s.socket.unacked() + s.pipe.pending() }

// tlsPipe is the net.Conn that crypto/tls uses: a blocking connection during the handshake, then the
// non-blocking socket. A temporary error from Read leaves tls.Conn usable. Write must never fail: it
// keeps the bytes that the kernel does not accept.
type tlsPipe struct {
	net.Conn // during the handshake; then nil
	sock     *socket
	out      []byte // encrypted bytes; the kernel has accepted those before head
	head     int
	ended    bool // the end of the peer's stream was read
	one      [1][]byte
}

func (p *tlsPipe) Read(b []byte) (int, error) {
	if p.Conn != nil {
		return p.Conn.Read(b)
	}
	n, err := p.sock.recv(b)
	switch {
	case err != nil && wouldBlock(err):
		return 0, errNotReady
	case err != nil:
		return 0, err
	case n == 0:
		p.ended = true
		return 0, io.EOF
	}
	return n, nil
}

func (p *tlsPipe) Write(b []byte) (int, error) {
	if p.Conn != nil {
		return p.Conn.Write(b)
	}
	p.out = append(p.out, b...)
	return len(b), nil
}

// SetWriteDeadline is called by tls.Conn when it sends close_notify.
func (p *tlsPipe) SetWriteDeadline(t time.Time) error {
	if p.Conn != nil {
		return p.Conn.SetWriteDeadline(t)
	}
	return nil
}

func (p *tlsPipe) pending() int { return len(p.out) - p.head }

// flush sends the pending bytes. EAGAIN: the kernel has not accepted all of them.
func (p *tlsPipe) flush() error {
	for p.pending() > 0 {
		p.one[0] = p.out[p.head:]
		n, err := p.sock.send(p.one[:])
		if err != nil {
			return err
		}
		p.head += n
	}
	p.out, p.head = p.out[:0], 0
	return nil
}

// errNotReady is a temporary net.Error: nothing can be read now.
var errNotReady net.Error = notReady{}

type notReady struct{}

func (notReady) Error() string   { return "nothing to read" }
func (notReady) Timeout() bool   { return true }
func (notReady) Temporary() bool { return true }
