package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire"
)

// The actions of the table in states.go for the end of a connection. They run in the old
// state. Those of the dial are in connect.go, and ready, of the login, in login.go.

// endIdle ends the loop when nothing is connected and no worker has a message.
func (c *conn) endIdle(about) {
	if c.l.track.Working() == 0 {
		c.l.exit()
	}
}

// shutDown begins the end that a drain wants.
func (c *conn) shutDown(about) { c.end.code = wire.CloseShuttingDown }

// askToStop asks the peer to send no more. Messages before the answer are processed: the
// peer counts them as delivered.
func (c *conn) askToStop(about) {
	c.l.out.Write(c.proto.AppendStop(c.l.out.AvailableBuffer()))
}

// closeNow ends a login for which there is no work to wait for.
func (c *conn) closeNow(x about) { c.end.code, c.end.grace = x.code, x.now }

// peerFails gives what came before a protocol error some time.
func (c *conn) peerFails(x about) {
	c.end.code = x.code
	if c.l.stop.deadline == 0 {
		c.end.grace = x.now + errorGrace
	}
}

// peerCloses begins our part of the close: the peer sends no more.
func (c *conn) peerCloses(x about) {
	c.life.end(x.now)
	if x.clean && c.l.cfg.ExitOnClose && !c.failOver() {
		// Under TLS, only close_notify makes a close clean (RFC 8446, section 6.1). If the
		// end of the stream is the protocol's close, it has been read already.
		c.end.notify = c.secure() && !c.l.set.codec.EOFIsClose
		c.l.stop.leaving = c.l.stop.leaving || !c.end.notify
	}
	c.end.grace = 0
	if grace := c.l.set.codec.CloseGrace; grace > 0 {
		c.end.grace = x.now + grace
	}
}

// peerRefuses ends a login that the peer has closed: there is no work to wait for.
func (c *conn) peerRefuses(x about) {
	c.peerCloses(x)
	c.end.grace = x.now
}

// peerStops takes the answer to askToStop.
func (c *conn) peerStops(x about) {
	c.peerCloses(x)
	c.end.moreUntil = x.now + stopRest
}

// readOn goes on with a connection that accepts no more acks, where the end of the stream is
// the protocol's close: a server that sends all it has and closes has sent it. A reset after
// the end of the stream shows as EPIPE.
func (c *conn) readOn(x about) {
	c.life.end(x.now)
	c.l.log.Warn("acknowledgements cannot be sent any more; reading on", "addr", c.addr, "error", x.err)
	c.peer.aborted = errors.Is(x.err, unix.ECONNRESET)
	c.l.track.StopAcking(c.destroyed())
	c.peer.writable = false
	c.peer.readable, c.peer.halfClosed = true, true
}

// sendClose sends the protocol's close, after which no acks may follow.
func (c *conn) sendClose(about) {
	l := c.l
	l.track.EndAcks()
	l.out.Write(c.proto.AppendClose(l.out.AvailableBuffer(), c.end.code))
}

// dropClose drops the rest of our close: the peer did not wait for it, and misses nothing
// else. Its last bytes may be unread.
func (c *conn) dropClose(x about) {
	c.l.track.Discard(c.destroyed())
	c.linger(x)
}

// linger begins to wait for the peer's TCP acks and its close.
func (c *conn) linger(x about) {
	c.end.linger, c.peer.readable = 0, true
	c.path.sent(x.now) // a FIN may have been
}

// endLinger ends the connection after its close. x.err, unless nil, is why the peer's
// stream ended without one.
func (c *conn) endLinger(x about) {
	if c.state == awaitClose {
		_ = c.sock.closeSend() // nothing is left that could get lost
	}
	switch {
	case !c.end.notify:
	case x.err == nil:
		c.l.stop.leaving = true
	default:
		c.logLost(x.now, "close", x.err)
	}
	c.ended(x.now)
}

// endFailed ends a connection that has failed, because of x.err, while x.doing.
func (c *conn) endFailed(x about) {
	c.life.end(x.now)
	c.life.fault = fmt.Errorf("%s: %s: %w", c.addr, x.doing, x.err)
	c.logLost(x.now, x.doing, x.err)
	c.ended(x.now)
}

func (c *conn) logLost(now time.Duration, doing string, err error) {
	c.repeats.add(now, slog.LevelWarn, "connection lost", "", "addr", c.addr, "doing", doing, "error", err)
}

// ended closes the socket and clears up after a connection, however it ended. It counts
// the acks that are lost with it.
func (c *conn) ended(now time.Duration) {
	l := c.l
	destroyed := c.destroyed()
	l.world.unwatch(c.sock)
	c.sock.close()
	c.sock, c.proto = nil, nil
	c.judge(now)
	l.stats.Connected.Store(false)
	l.in.reset()
	c.unacked = l.track.Disconnect(destroyed)
	if l.stop.leaving && !c.needsResume() {
		return
	}
	if !l.set.codec.Sequenced {
		c.unacked = 0 // the server will send them again, as new messages
	}
	c.redial = now + c.wait()
	l.stats.Reconnects.Add(1)
}
