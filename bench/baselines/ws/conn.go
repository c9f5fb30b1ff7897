package ws

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
)

// readSize is how much is asked of the kernel at once. With a quarter of it messages
// of 64 bytes cost the same, those of 64 KiB a quarter more processor time.
const readSize = 256 << 10

// conn is the connection that a library is given. It adds what neither library has:
// acks that lie ready leave by one system call, and the library, which closes as soon
// as it sees Close or the stream's end, sees them only when drain has returned.
//
// One goroutine at a time reads. One at a time writes, too: a library does so under
// a lock of its own, since it answers PING and Close from where it reads.
type conn struct {
	net.Conn

	// Owned by the reader.
	in    io.Reader // Conn, with or without a buffer
	scan  scanner
	rest  []byte // from Close on, read but not handed out
	drain func() error

	// hold is set by the writer of acks while more follow; out is what was held back,
	// owned by who writes.
	hold atomic.Bool
	out  []byte
}

// Read cuts what it has read in two before Close, and drains before it hands out
// the second part. A stream that ends before Close has ended unexpectedly: to a
// plain io.EOF coder takes the beginning of a message for the whole.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.rest) > 0 {
		c.drained()
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	n, err := c.in.Read(p)
	switch at := c.scan.closeAt(p[:n]); {
	case at == 0:
		c.drained()
	case at > 0:
		c.rest = bytes.Clone(p[at:n])
		return at, nil
	}
	if err == io.EOF && !c.scan.closed {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		c.drained()
	}
	return n, err
}

// drained leaves errors to whoever has set drain.
func (c *conn) drained() {
	if c.drain != nil {
		_ = c.drain()
	}
}

// Write sends p behind what was held back, or holds it back as well.
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
