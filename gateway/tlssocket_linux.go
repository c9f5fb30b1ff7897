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

// recordSize is the most plaintext of one TLS record, RFC 8446, section 5.1.
const recordSize = 16 << 10

// maxPending bounds what waits for the kernel, in bytes: more than a record waits only
// when answers to key updates do.
const maxPending = 4 * recordSize

// errNoCloseNotify is the end of the stream without the peer's close_notify, which an
// attacker could have made: RFC 8446, section 6.1.
var errNoCloseNotify = errors.New("the connection ended without close_notify")

// tlsSocket is a transport with TLS over a socket. As with socket, one goroutine uses
// it and no call blocks: crypto/tls reads from the socket through pipe, and what it
// writes waits in pipe until the kernel takes it.
//
// Bytes count as sent when the kernel has taken the whole record that they are in. So a
// record that it took in part is kept, and its plaintext, which the caller comes with
// again, is passed over by then.
type tlsSocket struct {
	*socket
	conn          *tls.Conn
	pipe          *tlsPipe
	sealed        int // plaintext in the record that pipe keeps
	plain         []byte
	notifySent    bool // close_notify was written
	certRequested bool // the server asked for a certificate and we have none
	maybeBuffered bool // conn may have something to tell though no edge will come
}

// secure makes a TLS connection of conn, which it closes on an error. cfg becomes its
// own.
func secure(ctx context.Context, conn *net.TCPConn, cfg *tls.Config) (*tlsSocket, error) {
	pipe := &tlsPipe{Conn: conn}
	// Bytes may have come along with the end of the handshake.
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

// recv fills b with what has come, record by record.
func (s *tlsSocket) recv(b []byte) (int, error) {
	n := 0
	s.maybeBuffered = false
	if s.pipe.pending() > maxPending {
		return 0, tlsError{errors.New("the server takes no answers to its key updates")}
	}
	for n < len(b) {
		k, err := s.conn.Read(b[n:])
		n += k
		if err == nil {
			continue
		}
		// A KeyUpdate is answered from within Read. That it cannot be matters only when the
		// peer's last bytes were read: its close_notify may be among them.
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

// buffered reports whether recv has something to tell though no edge will come.
func (s *tlsSocket) buffered() bool { return s.maybeBuffered }

// send encrypts msgs, a record at a time, as long as the kernel takes the records.
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

// nextRecord is the plaintext of the next record, from byte skip of msgs on; good until it
// is called again.
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

// closeSend sends close_notify and ends our sending side. EAGAIN: call it again when
// the socket is writable.
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

// untransmitted counts encrypted bytes, which are more than they stand for.
func (s *tlsSocket) untransmitted() int { return s.socket.untransmitted() + s.pipe.pending() }

func (s *tlsSocket) socketError() error { return s.socket.socketError() }

func (s *tlsSocket) tcpClosed() bool { return s.socket.tcpClosed() }

func (s *tlsSocket) unacked() int { return s.socket.unacked() + s.pipe.pending() }

// tlsPipe is what crypto/tls takes for its connection: a real one during the handshake,
// then the non-blocking socket. A temporary error from Read leaves tls.Conn usable;
// Write must not fail, and keeps what the kernel does not take.
type tlsPipe struct {
	net.Conn // of the handshake; nil afterwards
	sock     *socket
	out      []byte // encrypted bytes; those from head on were not taken by the kernel
	head     int
	ended    bool // the peer's end of stream was read
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

// SetWriteDeadline is called by tls.Conn around its close_notify.
func (p *tlsPipe) SetWriteDeadline(t time.Time) error {
	if p.Conn != nil {
		return p.Conn.SetWriteDeadline(t)
	}
	return nil
}

func (p *tlsPipe) pending() int { return len(p.out) - p.head }

// flush hands the kernel what it takes; EAGAIN when something is left.
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

// errNotReady is a temporary net.Error: there is nothing to read at the moment.
var errNotReady net.Error = notReady{}

type notReady struct{}

func (notReady) Error() string   { return "nothing to read" }
func (notReady) Timeout() bool   { return true }
func (notReady) Temporary() bool { return true }
