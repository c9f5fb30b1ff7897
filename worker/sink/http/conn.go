package httpsink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"feedgate/worker/credential"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// Limits of a connection, in bytes.
const (
	writeBuffer = 64 << 10 // the transport's copy of a part of a body
	maxHead     = 64 << 10 // of an answer
	maxAnswer   = 64 << 10 // of the body of an answer; a longer one ends the connection
)

// drainTimeout is how long the body of an answer is awaited, so that the connection can be used
// again. What it contains has no effect.
const drainTimeout = time.Second

// newTransport makes the transport of one worker. It speaks HTTP/1.1 only: with one request at a
// time, HTTP/2 would have nothing to add. No proxy is used, whatever the environment has.
func newTransport(t *target, cfg *sink.Config, silence time.Duration) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := t.dial(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, silence: silence, spoke: make(chan struct{})}, nil
	}
	return &http.Transport{
		DialContext: dial, DialTLSContext: dial, Protocols: protocols,
		MaxIdleConns: 1, IdleConnTimeout: 90 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHead,
		WriteBufferSize:        writeBuffer, ReadBufferSize: 4 << 10,
	}
}

// Why there is no connection, when --connect-timeout has ended.
var (
	errConnect   = errors.New("no connection within --connect-timeout")
	errHandshake = errors.New("no TLS within --connect-timeout; a port without TLS does not answer, see the URL's scheme")
)

// dial connects to the server, with TLS if the URL has it, within --connect-timeout.
func (t *target) dial(ctx context.Context, cfg *sink.Config) (net.Conn, error) {
	why, dial := errConnect, new(net.Dialer).DialContext
	if t.secure {
		why, dial = errHandshake, cfg.TLS.Dial
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.ConnectTimeout, why)
	defer cancel()
	conn, err := dial(ctx, "tcp", t.address)
	if err != nil && context.Cause(ctx) == why {
		return nil, why
	}
	return conn, err
}

// reach checks that the server can be reached and, with TLS, that it is the right one. It is Connect
// of [kit.Config]: no request is sent.
func (t *target) reach(ctx context.Context, cfg *sink.Config) error {
	conn, err := t.dial(ctx, cfg)
	switch {
	case err == nil:
		return conn.Close()
	case credential.Wrong(err):
		return fmt.Errorf("%w: %s: %w", kit.ErrDenied, t.address, err)
	}
	return fmt.Errorf("%s: %w", t.address, err)
}

// alertTimeout is how long a probe waits for the alert of a server that refuses the client: with TLS
// 1.3, it follows the client's handshake.
const alertTimeout = 500 * time.Millisecond

// probe is Probe of [sink.Target]. It connects, and sends no request: any request might change
// something.
func (t *target) probe(ctx context.Context, cfg *sink.Config) (found string, err error) {
	conn, err := t.dial(ctx, cfg)
	if err != nil {
		if !credential.Wrong(err) && err != errHandshake { // those have a hint of their own
			err = fmt.Errorf("%w; see the host and port in the URL", err)
		}
		return "", fmt.Errorf("%s: %w", t.address, err)
	}
	defer conn.Close()
	parts := []string{"connected to " + t.address}
	if address := conn.RemoteAddr().String(); address != t.address {
		parts[0] += " (" + address + ")"
	}
	if state := credential.StateOf(conn); state != nil {
		if err := conn.SetReadDeadline(time.Now().Add(alertTimeout)); err != nil {
			return "", err
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return "", fmt.Errorf("%s: %w", t.address, err)
		}
		parts = append(parts, credential.Describe(state)...)
	}
	return strings.Join(append(parts, "HTTP/1.1, no request was sent"), ", "), nil
}

// conn is a connection of the transport.
//
// A server that refuses a request before it has all of it answers, and closes: writing fails, and the
// answer is still to be read. But the transport returns the error of the write at once. So conn hides
// it, and discards what is written from then on; reading then returns the answer, or an error.
//
// A server that answers before it has a request has not stored anything: RFC 9112, section 9.2, allows no
// such answer. The transport would take it for that of the first request. So conn waits for a moment before
// the first byte of the first request, and sends none if the server has sent something. (Of later requests,
// the transport itself sees to it.)
type conn struct {
	net.Conn
	silence time.Duration // how long the wait is
	spoke   chan struct{} // closed when the server has sent something before the first request
	began   atomic.Bool   // the first request has begun

	buf   []byte                 // of ReadFrom
	cut   atomic.Bool            // a write has failed, so the server does not have what was written since
	moved atomic.Pointer[func()] // called when the server has taken a part of a request; nil: nothing is
}

// ReadFrom implements [io.ReaderFrom]. Without it, the transport would allocate a buffer of 32 KiB for each
// request and write pieces of that size. It writes in the connection's only goroutine that does.
func (c *conn) ReadFrom(r io.Reader) (n int64, err error) {
	if c.buf == nil {
		c.buf = make([]byte, writeBuffer)
	}
	for {
		size, err := r.Read(c.buf)
		if size > 0 {
			_, _ = c.Write(c.buf[:size]) // it reports no error, see conn
			n += int64(size)
		}
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		}
	}
}

// Read implements [net.Conn].
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.began.Load() && !c.early() {
		close(c.spoke) // only the transport's one reader does
	}
	return n, err
}

// early reports whether the server has sent something before the first request.
func (c *conn) early() bool {
	select {
	case <-c.spoke:
		return true
	default:
		return false
	}
}

// begin waits for a moment, before the first request. It returns false if the server has sent something.
func (c *conn) begin() bool {
	timer := time.NewTimer(c.silence)
	defer timer.Stop()
	select {
	case <-c.spoke:
		return false
	case <-timer.C:
		c.began.Store(true)
	}
	return !c.early()
}

// Write implements [net.Conn].
func (c *conn) Write(b []byte) (int, error) {
	if !c.began.Load() && !c.begin() {
		return 0, errEarly
	}
	if c.cut.Load() {
		return len(b), nil
	}
	if _, err := c.Conn.Write(b); err != nil {
		c.cut.Store(true)
	} else if moved := c.moved.Load(); moved != nil {
		(*moved)()
	}
	return len(b), nil
}
