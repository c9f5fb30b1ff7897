package feedserver

import (
	"errors"
	"io"
	"time"

	"feedgate/gateway/wire/fg1"
)

// linger is how long a client may take to close after the feed has said goodbye
// and closed its sending side.
const linger = 5 * time.Second

// conclude takes the steps of ending that are due once everything was written.
// It returns true when there is more to write.
func (c *conn) conclude() bool {
	switch {
	case c.silent || c.killed:
	case c.state == stateClosing:
		if c.l.traits.answered && !c.peerDone && !c.deaf {
			return false
		}
		return c.shutdown()
	case c.state == stateLogin:
	case c.ses.complete():
		c.leave(fg1.CodeOK)
		return true
	case c.peerDone:
		if c.l.traits.answered {
			c.leave(fg1.CodeOK)
		} else {
			c.close()
		}
		return true
	case c.drained() && c.ses.led.base == c.next:
		c.leave(fg1.CodeShuttingDown)
		return true
	case !c.l.traits.goodbye && (c.next > c.ses.last || c.drained()):
		return c.shutdown()
	}
	return false
}

// leave says goodbye, if it was not said yet, and closes.
func (c *conn) leave(code uint16) {
	if c.state == stateClosing {
		return
	}
	c.replies = c.codec.appendBye(c.replies, code)
	c.close()
}

// close begins the end: what was said is written, the sending side closed, and
// then read on until the peer closes, so that no reset overtakes the last bytes.
func (c *conn) close() {
	c.state = stateClosing
	c.deadline = c.l.now + linger
	c.l.wakeAt(c.deadline)
}

// shutdown closes the sending side. It returns true when there is something to
// write before.
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

// reset closes with a TCP reset, which destroys what is on its way.
func (c *conn) reset() {
	c.l.log.Debug("chaos: resetting", "client", c.name())
	_ = c.g.SetLinger(0)
	c.kill()
}

// kill closes the socket, at the latest when gnet's call has returned. The conn
// must not be used after it.
func (c *conn) kill() {
	if c.killed {
		return
	}
	c.killed = true
	if !c.inHandler {
		_ = c.l.tasks.loop().Close(c.g)
	}
}

// fail ends the connection for the client's fault.
func (c *conn) fail(err error) {
	var f *fault
	if !errors.As(err, &f) {
		panic(err) // codecs return nothing else
	}
	if c.ses == nil {
		c.l.log.Warn("login refused", "client", c.name(), "code", f.code, "error", err)
		c.l.rejected++
	} else {
		c.l.log.Warn("protocol error", "client", c.name(), "code", f.code, "error", err)
		c.ses.protocolErrors++
	}
	c.deaf = true
	if c.off == 0 {
		c.withdraw() // nothing follows a goodbye
	}
	c.leave(f.code)
}

// withdraw drops what of the batch was not sent.
func (c *conn) withdraw() { c.batch.buf, c.resetAt = c.batch.buf[:c.off], -1 }

// lost says whether a connection's end leaves its session open for the client to
// come back. err is why the connection ended.
func (c *conn) lost(err error) bool {
	switch {
	case c.ses.complete() || c.l.draining.Load():
		return false
	case c.l.traits.goodbye:
		return true
	default:
		// Having got everything, a client that closes has made its last ack. One
		// that was cut off has not.
		return !(c.shut && errors.Is(err, io.EOF))
	}
}
