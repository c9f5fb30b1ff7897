package feedserver

import (
	"errors"
	"io"
	"time"

	"feedgate/gateway/wire/fg1"
)

// linger is how long a client may take to close after the feed has begun to close.
const linger = 5 * time.Second

// endIfDone takes the next step of the connection's end, if it is due. It must be called when
// everything is written. It returns true if there is more to write.
func (c *conn) endIfDone() bool {
	switch {
	case c.silent || c.killed:
	case c.state == stateClosing:
		if c.l.traits.byeReply && !c.peerEnded && !c.discarding {
			return false
		}
		return c.shutdown()
	case c.state == stateLogin:
	case c.ses.complete():
		c.sendBye(fg1.CodeOK)
		return true
	case c.peerEnded:
		if c.l.traits.byeReply {
			c.sendBye(fg1.CodeOK)
		} else {
			c.close()
		}
		return true
	case c.drained() && c.ses.led.base == c.next:
		c.sendBye(fg1.CodeShuttingDown)
		return true
	case !c.l.traits.bye && (c.next > c.ses.last || c.drained()):
		return c.shutdown()
	}
	return false
}

// sendBye appends the protocol's end frame and begins to close, unless that has begun.
func (c *conn) sendBye(code uint16) {
	if c.state == stateClosing {
		return
	}
	c.replies = c.codec.appendBye(c.replies, code)
	c.close()
}

// close begins to close: the rest is written, the sending side is closed, and input is read until the
// peer closes. A close with unread input would reset the connection and destroy the last bytes.
func (c *conn) close() {
	c.state = stateClosing
	c.deadline = c.l.now + linger
	c.l.wakeAt(c.deadline)
}

// shutdown closes the sending side. It returns true if a close_notify must be written first.
func (c *conn) shutdown() (more bool) {
	if c.shut {
		return false
	}
	if c.sec != nil && c.sec.notify() {
		return true
	}
	c.shut = true
	if err := shutdownSocket(c.fd); err != nil {
		c.kill()
	}
	return false
}

// reset closes the connection with a TCP reset, which destroys data in transit.
func (c *conn) reset() {
	c.l.log.Debug("chaos: resetting", "client", c.name())
	_ = c.g.SetLinger(0)
	c.kill()
}

// kill closes the socket, within a call from gnet when that returns. The conn must not be used
// afterwards.
func (c *conn) kill() {
	if c.killed {
		return
	}
	c.killed = true
	if !c.inHandler {
		_ = c.l.tasks.loop().Close(c.g)
	}
}

// fail ends the connection because of a fault of the client.
func (c *conn) fail(err error) {
	var f *fault
	if !errors.As(err, &f) {
		panic(err) // codecs return no other errors
	}
	if c.ses == nil {
		c.l.log.Warn("login refused", "client", c.name(), "code", f.code, "error", err)
		c.l.rejected++
	} else {
		c.l.log.Warn("protocol error", "client", c.name(), "code", f.code, "error", err)
		c.ses.protocolErrors++
	}
	c.discarding = true
	if c.off == 0 {
		c.dropUnsent() // no message may follow the end frame
	}
	c.sendBye(f.code)
}

// dropUnsent drops the unsent part of the batch.
func (c *conn) dropUnsent() { c.batch.buf, c.resetAt = c.batch.buf[:c.off], -1 }

// resumable reports whether the session waits for its client after the connection has ended with err.
func (c *conn) resumable(err error) bool {
	switch {
	case c.ses.complete() || c.l.draining.Load():
		return false
	case c.l.traits.bye:
		return true
	default:
		// A client that closes in order after it has received everything sends no more acks. One
		// whose connection broke may still send some.
		return !(c.shut && errors.Is(err, io.EOF))
	}
}
