package ws

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
)

// readSize is the size of a read. With a quarter of it, messages of 64 bytes take the same CPU
// time, and those of 64 KiB a quarter more.
const readSize = 256 << 10

// conn is the connection given to a library. It adds two functions that neither library has:
// available acks are sent by one system call; and the library, which closes as soon as it reads
// Close or the end of the stream, gets these only after drain has returned.
//
// One goroutine at a time reads. One at a time writes: each library has its own lock, because it
// answers PING and Close from the reading goroutine.
type conn struct {
	net.Conn

	// Owned by the reader.
	in    io.Reader // Conn, with or without a buffer
	scan  scanner
	rest  []byte // from Close on, not returned yet
	drain func() error

	// The writer of acks sets hold while more follow. out has the bytes held back; the writing
	// goroutine owns it.
	hold atomic.Bool
	out  []byte
}

// Read splits the bytes read before Close, and drains before it returns the second part. If the
// stream ends before Close, the error is io.ErrUnexpectedEOF: after io.EOF, coder would treat the
// beginning of a message as complete.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.rest) > 0 {
		c.callDrain()
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	n, err := c.in.Read(p)
	switch at := c.scan.closeAt(p[:n]); {
	case at == 0:
		c.callDrain()
	case at > 0:
		c.rest = bytes.Clone(p[at:n])
		return at, nil
	}
	if err == io.EOF && !c.scan.closed {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		c.callDrain()
	}
	return n, err
}

// callDrain calls drain, whose owner gets the errors.
func (c *conn) callDrain() {
	if c.drain != nil {
		_ = c.drain()
	}
}

// Write sends p after the bytes held back, or holds it back as well.
func (c *conn) Write(p []byte) (int, error) {
	hold := c.hold.Load()
	if !hold && len(c.out) == 0 {
		return c.Conn.Write(p)
	}
	c.out = append(c.out, p...)
	if hold {
		return len(p), nil
	}
	_, err := c.Conn.Write(c.out)
	c.out = c.out[:0]
	if err != nil {
		return 0, err
	}
	return len(p), nil
}
