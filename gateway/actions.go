package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire"
)

// The actions of the table in states.go for the end of a connection. They run before the state
// changes. The actions of the dial are in connect.go, becomeReady is in login.go.

// endIdle ends the loop unless a worker still has a message. There is no connection.
func (c *conn) endIdle(details) {
	if c.l.track.Working() == 0 {
		c.l.exit()
	}
}

// beginClose begins the close for a drain.
func (c *conn) beginClose(details) { c.end.code = wire.CloseShuttingDown }

// askToStop asks the peer to stop sending. Messages that precede its answer are processed: the peer
// counts them as delivered.
func (c *conn) askToStop(details) {
	c.l.out.Write(c.proto.AppendStop(c.l.out.AvailableBuffer()))
}

// closeAtOnce ends a login, which has no messages to wait for.
func (c *conn) closeAtOnce(x details) { c.end.code, c.end.grace = x.code, x.now }

// shortenGrace limits the time for the messages before a protocol error.
func (c *conn) shortenGrace(x details) {
	c.end.code = x.code
	if c.l.stop.deadline == 0 {
		c.end.grace = x.now + errorGrace
	}
}

// answerClose begins our part of the close, after the peer's.
func (c *conn) answerClose(x details) {
	c.life.end(x.now)
	if x.clean && c.l.cfg.ExitOnClose && !c.failOver() {
		// Under TLS, only close_notify makes a close clean (RFC 8446, section 6.1). If the end of
		// the stream is the protocol's close, close_notify has been read already.
		c.end.notify = c.secure() && !c.l.set.codec.EOFIsClose
		c.l.stop.ending = c.l.stop.ending || !c.end.notify
	}
	c.end.grace = 0
	if grace := c.l.set.codec.CloseGrace; grace > 0 {
		c.end.grace = x.now + grace
	}
}

// answerRefusal ends a login that the peer has closed: there are no messages to wait for.
func (c *conn) answerRefusal(x details) {
	c.answerClose(x)
	c.end.grace = x.now
}

// stopConfirmed handles the answer to askToStop.
func (c *conn) stopConfirmed(x details) {
	c.answerClose(x)
	c.end.moreUntil = x.now + stopGrace
}

// keepReading keeps a connection whose peer accepts no more acks, if the end of the stream is the
// protocol's close: what the server sent before it closed is still to be read. EPIPE means that the
// reset followed the end of the stream.
func (c *conn) keepReading(x details) {
	c.life.end(x.now)
	c.l.log.Warn("acknowledgements can no longer be sent; still reading", "addr", c.addr, "error", x.err)
	c.peer.resetFirst = errors.Is(x.err, unix.ECONNRESET)
	c.l.track.StopAcking(c.destroyed())
	c.peer.writable = false
	c.peer.readable, c.peer.halfClosed = true, true
}

// sendClose sends the protocol's close, after which no acks may follow.
func (c *conn) sendClose(details) {
	l := c.l
	l.track.EndAcks()
	l.out.Write(c.proto.AppendClose(l.out.AvailableBuffer(), c.end.code))
}

// dropClose drops the rest of our close. The peer did not wait for it and misses nothing else. Its
// last bytes may still be unread.
func (c *conn) dropClose(x details) {
	c.l.track.Discard(c.destroyed())
	c.linger(x)
}

// linger starts the wait for the peer's TCP acks and its close.
func (c *conn) linger(x details) {
	c.end.linger, c.peer.readable = 0, true
	c.path.sent(x.now) // a FIN may have been
}

// endLinger ends the connection after the wait. x.err, if not nil, is why the peer's stream ended
// without a close.
func (c *conn) endLinger(x details) {
	if c.state == awaitClose {
		_ = c.sock.closeSend() // an error no longer matters: everything is sent
	}
	switch {
	case !c.end.notify:
	case x.err == nil:
		c.l.stop.ending = true
	default:
		c.logLost(x.now, "close", x.err)
	}
	c.release(x.now)
}

// endFailed ends a connection that has failed with x.err during x.doing.
func (c *conn) endFailed(x details) {
	c.life.end(x.now)
	c.life.fault = fmt.Errorf("%s: %s: %w", c.addr, x.doing, x.err)
	c.logLost(x.now, x.doing, x.err)
	c.release(x.now)
}

func (c *conn) logLost(now time.Duration, doing string, err error) {
	c.log.add(now, slog.LevelWarn, "connection lost", "", "addr", c.addr, "doing", doing, "error", err)
}

// release closes the socket and resets what belongs to the connection. It counts the acks that are
// lost with it.
func (c *conn) release(now time.Duration) {
	l := c.l
	destroyed := c.destroyed()
	l.env.unwatch(c.sock)
	c.sock.close()
	c.sock, c.proto = nil, nil
	c.recordOutcome(now)
	l.stats.Connected.Store(false)
	l.status.disconnected(l, c.life.fault)
	l.receiver.reset()
	c.unacked = l.track.Disconnect(destroyed)
	if l.stop.ending && !c.needsResume() {
		return
	}
	if !l.set.codec.Sequenced {
		c.unacked = 0 // the server redelivers them as new messages
	}
	c.redialAt = now + c.wait()
	l.stats.Reconnects.Add(1)
}
