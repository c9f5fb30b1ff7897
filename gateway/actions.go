package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire"
)

// The actions of the table in states.go that end a connection. They run in the old state.

// shutDown begins the end that a drain wants.
func (k *conn) shutDown(about) { k.end.code = wire.CloseShuttingDown }

// askToStop asks the peer to send no more. Messages before the answer are processed: the
// peer counts them as delivered.
func (k *conn) askToStop(about) {
	k.l.out.Write(k.stopper().AppendStop(k.l.out.AvailableBuffer()))
}

// closeNow ends a login for which there is no work to wait for.
func (k *conn) closeNow(x about) { k.end.code, k.end.grace = x.code, x.now }

// peerFails gives what came before a protocol error some time.
func (k *conn) peerFails(x about) {
	k.end.code = x.code
	if k.l.stop.deadline == 0 {
		k.end.grace = x.now + errorGrace
	}
}

// peerCloses begins our part of the close: the peer sends no more.
func (k *conn) peerCloses(x about) {
	k.life.end(x.now)
	if x.clean && k.l.cfg.ExitOnClose && !k.failOver() {
		// Under TLS, only close_notify makes a close clean (RFC 8446, section 6.1). If the
		// end of the stream is the protocol's close, it has been read already.
		k.end.notify = k.secure() && !k.l.set.traits.EOFCloses
		k.l.stop.leaving = k.l.stop.leaving || !k.end.notify
	}
	k.end.grace = 0
	if grace := k.l.set.traits.CloseGrace; grace > 0 {
		k.end.grace = x.now + grace
	}
}

// peerRefuses ends a login that the peer has closed: there is no work to wait for.
func (k *conn) peerRefuses(x about) {
	k.peerCloses(x)
	k.end.grace = x.now
}

// peerStops takes the answer to askToStop.
func (k *conn) peerStops(x about) {
	k.peerCloses(x)
	k.end.rest = x.now + stopRest
}

// readOn goes on with a connection that accepts no more acks, where the end of the stream is
// the protocol's close: a server that sends all it has and closes has sent it. A reset after
// the end of the stream shows as EPIPE.
func (k *conn) readOn(x about) {
	k.life.end(x.now)
	k.l.log.Warn("acknowledgements cannot be sent any more; reading on", "addr", k.addr, "error", x.err)
	k.peer.aborted = errors.Is(x.err, unix.ECONNRESET)
	k.l.track.StopAcking(k.destroyed())
	k.peer.writable = false
	k.peer.readable, k.peer.halfClosed = true, true
}

// sendClose sends the protocol's close, after which no acks may follow.
func (k *conn) sendClose(about) {
	l := k.l
	l.track.EndAcks()
	l.out.Write(k.conn.AppendClose(l.out.AvailableBuffer(), k.end.code))
}

// dropClose drops the rest of our close: the peer did not wait for it, and misses nothing
// else. Its last bytes may be unread.
func (k *conn) dropClose(x about) {
	k.l.track.Discard(k.destroyed())
	k.linger(x)
}

// linger begins to wait for the peer's TCP acks and its close.
func (k *conn) linger(about) { k.end.linger, k.peer.readable = 0, true }

// endLinger ends the connection after its close. x.err, unless nil, is why the peer's
// stream ended without one.
func (k *conn) endLinger(x about) {
	if k.state == awaitClose {
		_ = k.sock.closeSend() // nothing is left that could get lost
	}
	switch {
	case !k.end.notify:
	case x.err == nil:
		k.l.stop.leaving = true
	default:
		k.logLost(x.now, "close", x.err)
	}
	k.ended(x.now)
}

// lose ends a connection that has failed.
func (k *conn) lose(x about) {
	k.life.end(x.now)
	k.life.fault = fmt.Errorf("%s: %s: %w", k.addr, x.doing, x.err)
	k.logLost(x.now, x.doing, x.err)
	k.ended(x.now)
}

func (k *conn) logLost(now time.Duration, doing string, err error) {
	k.repeats.add(now, slog.LevelWarn, "connection lost", "", "addr", k.addr, "doing", doing, "error", err)
}

// ended closes the socket and clears up after a connection, however it ended. It counts
// the acks that are lost with it.
func (k *conn) ended(now time.Duration) {
	l := k.l
	destroyed := k.destroyed()
	l.world.unwatch(k.sock)
	k.sock.close()
	k.sock, k.conn = nil, nil
	k.judge(now)
	l.stats.Connected.Store(false)
	l.in.reset()
	k.owed = l.track.Disconnect(destroyed)
	if l.stop.leaving && !k.needsResume() {
		return
	}
	if !l.set.traits.Sequenced {
		k.owed = 0 // the server will send them again, as new messages
	}
	k.redial = now + k.wait()
	l.stats.Reconnects.Add(1)
}
