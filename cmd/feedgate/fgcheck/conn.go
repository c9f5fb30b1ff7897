package fgcheck

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
)

const (
	readBuffer = fg1.HeaderSize + maxControl // bytes
	// maxControl is the longest payload of a frame other than DATA, in bytes: the gateway's limit.
	maxControl = 64 << 10
)

// Why no event comes from a connection.
var (
	errQuiet = errors.New("nothing arrived in time")
	errEnded = errors.New("the connection ended")
	errFault = errors.New("a fault that was reported makes the rest unreadable")
)

// conn is a connection to the server. It checks the rules that hold for every frame.
type conn struct {
	k   *checker
	nc  net.Conn     // with TLS, if used
	tcp *net.TCPConn // under nc
	r   *bufio.Reader

	unwatch func() bool // ends the watch of the context

	// The frame that is being skipped.
	inFrame bool
	head    fg1.Header
	rest    int64 // bytes of its payload that are not read

	began    bool // the first bytes look like FG/1
	bad      bool // a bad frame was sent: its rule judges what answers it
	welcomed bool
	welcome  welcome
	stream   stream
	pings    []uint64 // seqs of PINGs without a PONG
	byeCode  uint16   // valid if ended
	ended    bool     // BYE was read
}

// event is a frame, or with op DATA a whole message.
type event struct {
	fg1.Header
	payload []byte // of WELCOME
}

// dial connects. Its error wraps [ErrUntested].
func (k *checker) dial() (*conn, error) {
	ctx, cancel := context.WithTimeout(k.ctx, k.cfg.Timeout)
	defer cancel()
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", k.cfg.Address)
	if err != nil {
		return nil, untested("%w", err)
	}
	c := &conn{k: k, nc: nc, tcp: nc.(*net.TCPConn)}
	c.unwatch = context.AfterFunc(k.ctx, func() { _ = c.tcp.Close() })
	if k.cfg.TLS != nil {
		secure := tls.Client(nc, k.cfg.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			c.close()
			return nil, untested("%s: TLS: %w", k.cfg.Address, err)
		}
		c.nc = secure
	}
	c.r = bufio.NewReaderSize(c.nc, readBuffer)
	c.stream = stream{report: k.report, maxMessage: uint64(k.cfg.MaxMessage)}
	return c, nil
}

// limit begins the time in which the next events must come, and what is sent must be accepted.
func (c *conn) limit(d time.Duration) { _ = c.nc.SetDeadline(time.Now().Add(d)) }

// send sends a frame. Errors are ignored, because the next read has them, too.
func (c *conn) send(op fg1.Op, code uint16, seq uint64, payload []byte) {
	c.sendRaw(fg1.AppendFrame(nil, op, 0, code, seq, payload))
}

func (c *conn) sendRaw(b []byte) { _, _ = c.nc.Write(b) }

// event returns the next event. It answers PINGs, and skips frames without meaning.
func (c *conn) event() (event, error) {
	for {
		if !c.began {
			if err := c.detect(); err != nil {
				return event{}, err
			}
		}
		e, err := c.frame()
		switch {
		case err != nil:
			return e, err
		case e.Op == fg1.Ping:
			c.send(fg1.Pong, 0, e.Seq, nil)
		case e.Op != 0:
			return e, nil
		}
	}
}

// detect reports bytes that cannot be FG/1.
func (c *conn) detect() error {
	b, err := c.r.Peek(fg1.HeaderSize)
	if err == nil {
		h := fg1.ParseHeader(b)
		if known(h.Op) || h.Payload() >= 0 && h.Payload() <= maxControl {
			c.began = true
			return nil
		}
	} else if wire.DetectProtocol(b) == "" {
		return readError(err)
	}
	looks := "other bytes"
	if name := wire.DetectProtocol(b); name != "" {
		looks = name
	}
	c.k.report.broke(login, "the answer is not FG/1, it looks like %s", looks)
	return errFault
}

// known reports whether FG/1 has this op.
func known(op fg1.Op) bool { return op >= fg1.Hello && op <= fg1.Pong || op == fg1.Bye }

// frame reads a frame and checks it. The event has op 0 if the frame alone means nothing. After
// errQuiet, the next call continues within the frame.
func (c *conn) frame() (event, error) {
	if !c.inFrame {
		head, err := c.r.Peek(fg1.HeaderSize)
		if err != nil {
			return event{}, readError(err)
		}
		h := fg1.ParseHeader(head)
		if err := c.checkHeader(h); err != nil {
			return event{}, err
		}
		if h.Op == fg1.Welcome {
			return c.readWelcome(h)
		}
		_, _ = c.r.Discard(fg1.HeaderSize)
		c.inFrame, c.head, c.rest = true, h, h.Payload()
	}
	n, err := io.CopyN(io.Discard, c.r, c.rest)
	if c.rest -= n; err != nil {
		return event{}, readError(err)
	}
	c.inFrame = false
	if !c.meaning(c.head) {
		return event{}, nil
	}
	return event{Header: c.head}, nil
}

// readWelcome reads WELCOME, which fits into the buffer.
func (c *conn) readWelcome(h fg1.Header) (event, error) {
	b, err := c.r.Peek(fg1.HeaderSize + int(h.Payload()))
	if err != nil {
		return event{}, readError(err)
	}
	payload := bytes.Clone(b[fg1.HeaderSize:])
	_, _ = c.r.Discard(len(b))
	if !c.meaning(h) {
		return event{}, nil
	}
	return event{h, payload}, nil
}

// checkHeader checks the rules of every frame. After its error, the next frame's position is
// unknown.
func (c *conn) checkHeader(h fg1.Header) error {
	r := c.k.report
	if h.Payload() < 0 {
		r.broke(frameLength, "op %d seq %d: length %d", h.Op, h.Seq, h.Length)
		return errFault
	}
	allowed := uint8(0)
	switch h.Op {
	case fg1.Data:
		allowed = fg1.More
	case fg1.Welcome, fg1.Ping, fg1.Pong, fg1.Bye:
	default:
		r.broke(frameOp, "op %d seq %d", h.Op, h.Seq)
	}
	if h.Flags&^allowed != 0 {
		r.broke(frameFlags, "op %d seq %d: flags %#x", h.Op, h.Seq, h.Flags)
	}
	if h.Op != fg1.Data && h.Payload() > maxControl {
		if known(h.Op) {
			r.broke(frameLength, "op %d seq %d: payload of %d bytes", h.Op, h.Seq, h.Payload())
		}
		return errFault
	}
	r.keep(frameLength, frameOp, frameFlags)
	if h.Op == fg1.Data && c.welcomed {
		c.stream.grow(h)
	}
	return nil
}

// meaning returns true if the frame is an event.
func (c *conn) meaning(h fg1.Header) bool {
	r := c.k.report
	switch h.Op {
	case fg1.Data:
		switch {
		case c.ended:
			r.broke(byeLast, "DATA seq %d after BYE", h.Seq)
		case !c.welcomed:
			r.broke(welcomeFirst, "DATA seq %d before WELCOME", h.Seq)
		default:
			c.k.sent = max(c.k.sent, h.Seq)
			return c.stream.data(h)
		}
		return false
	case fg1.Welcome:
		if c.welcomed {
			r.broke(welcomeFirst, "a second WELCOME, seq %d", h.Seq)
			return false
		}
		return true
	case fg1.Pong:
		return c.pong(h.Seq)
	case fg1.Bye:
		c.stream.end()
		c.ended, c.byeCode = true, h.Code
		return true
	case fg1.Ping:
		return true
	default:
		return false
	}
}

// pong checks a PONG. It returns true if a PING had its seq.
func (c *conn) pong(seq uint64) bool {
	for i, sent := range c.pings {
		if sent == seq {
			c.pings = append(c.pings[:i], c.pings[i+1:]...)
			return true
		}
	}
	if c.bad {
		return true
	}
	if len(c.pings) > 0 {
		c.k.report.broke(ping, "PONG seq %d to PING seq %d", seq, c.pings[0])
	} else {
		c.k.report.broke(ping, "PONG seq %d without such a PING", seq)
	}
	return false
}

// readError returns why a read failed.
func readError(err error) error {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return errQuiet
	}
	return errEnded
}

// cut closes the connection as a fault of the network does: without BYE and with a reset.
func (c *conn) cut() {
	_ = c.tcp.SetLinger(0)
	c.close()
}

// close closes the connection. It may be called again.
func (c *conn) close() {
	c.unwatch()
	_ = c.tcp.Close()
}

// closeWrite ends what the client sends.
func (c *conn) closeWrite() {
	if secure, ok := c.nc.(*tls.Conn); ok {
		_ = secure.CloseWrite()
	}
	_ = c.tcp.CloseWrite()
}
