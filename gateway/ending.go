package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire"
)

// lingerReads is the most reads in one turn while lingering.
const lingerReads = 64

// This file raises the events at the end of a connection. Their actions are in actions.go.

// handleEOF handles the end of the peer's stream.
func (c *conn) handleEOF(now time.Duration) {
	c.peer.readable = false
	closed := c.l.set.codec.EOFIsClose && !c.peer.resetFirst
	undecoded := c.l.receiver.slab.filled - c.l.receiver.input.Scan + c.l.receiver.input.Keep - c.l.receiver.input.Start
	fault := c.l.receiver.end(closed)
	if closed {
		c.log.add(now, slog.LevelInfo, "server closed", "", "addr", c.addr)
		c.life.received = c.life.received || undecoded > 0
		if fault != nil && c.l.cfg.ExitOnClose {
			err := fmt.Errorf("%s: %w", c.addr, fault)
			c.l.stop.err = errors.Join(c.l.stop.err, causedBy("--exit-on-close", err, ErrTruncated))
		}
		c.on(evEndOfStream, details{now: now, clean: true})
		return
	}
	err := errors.New("the server closed the connection unexpectedly")
	if c.peer.resetFirst {
		err = unix.ECONNRESET
	}
	c.lost(now, "receive", err)
}

// protocolError ends the connection because of a fault of the peer. Messages before the fault are
// finished within errorGrace or, during a drain, by its deadline. Bytes after it are ignored.
func (c *conn) protocolError(err *wire.Error, now time.Duration) {
	c.life.end(now)
	c.l.receiver.abandon()
	if c.state == login && c.redirectedOrRefused(err, now) {
		return
	}
	c.on(evProtocolError, details{now: now, code: c.countFault(err, now)})
}

// countFault counts and logs a fault of the peer. It returns the code for our close.
func (c *conn) countFault(fault *wire.Error, now time.Duration) wire.CloseCode {
	c.l.stats.addError(fault.Reason)
	c.life.fault = fmt.Errorf("%s: %w", c.addr, fault)
	c.log.add(now, slog.LevelError, "protocol error", fault.Reason, "addr", c.addr, "error", fault.Detail)
	return fault.Code
}

// lost raises evLost: the connection has failed.
func (c *conn) lost(now time.Duration, doing string, err error) {
	c.on(evLost, details{now: now, doing: doing, err: err})
}

// sendFailed raises evSendFailed: the kernel accepts no more bytes.
func (c *conn) sendFailed(now time.Duration, err error) {
	c.on(evSendFailed, details{now: now, doing: "send", err: err})
}

// closeSend closes our sending side, or leaves that to a later turn. If the server must close first
// (RFC 6455, section 7.1.1), it stays open until then.
func (c *conn) closeSend(now time.Duration) {
	if c.l.set.codec.PeerClosesFirst && c.life.ready {
		c.on(evAllSent, details{now: now})
		return
	}
	switch err := c.sock.closeSend(); {
	case err == nil:
		c.on(evSendClosed, details{now: now})
	case wouldBlock(err):
		c.peer.writable = false
	default:
		c.on(evCloseSendFailed, details{now: now, doing: "close", err: err})
	}
}

// discard reads and discards bytes until the server closes. Closing a socket with unread bytes would
// reset the connection and destroy acks that the server has not read.
func (c *conn) discard(now time.Duration) {
	for range lingerReads {
		n, err := c.sock.recv(c.l.scratch[:])
		if err != nil && wouldBlock(err) {
			c.peer.readable = false
			break
		}
		if err == nil && n > 0 {
			continue
		}
		over := err != nil || c.sock.tcpClosed() // check this first: TCP acks may arrive before destroyed
		if over || c.destroyed() == 0 {
			c.on(evLingerEnded, details{now: now, err: err})
			return
		}
		c.peer.readable = false // closed, but its TCP may still acknowledge our bytes, or reset
		break
	}
	if c.end.linger == 0 && c.sock.unacked() == 0 {
		c.end.linger = now + lingerTime
	}
}

// destroyed returns the number of messages whose acks are lost with the connection: the kernel has
// accepted them, and the peer's TCP has not acknowledged them. It is 0 with sessions, as the acks are
// sent again on the next connection, and after our close or close_notify, as the peer may have read
// all it needs before it reset the connection.
func (c *conn) destroyed() int {
	l := c.l
	silent := l.set.codec.EOFIsClose && !l.cfg.Secure
	closeSent := c.is(lingers) || c.is(closes) && l.out.Len() == 0
	if l.set.codec.Sequenced || closeSent && !silent {
		return 0
	}
	unacked := c.sock.unacked()
	if c.state == lingering {
		unacked-- // FIN
	}
	l.out.Transmitted(max(0, unacked))
	return l.out.InKernel()
}
