package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// lingerReads bounds the reading in one turn.
const lingerReads = 64

// endOfStream handles the end of the peer's bytes.
func (k *conn) endOfStream(now time.Duration) {
	k.peer.readable = false
	closed := k.l.set.traits.EOFCloses && !k.peer.aborted
	rest := k.l.in.filled - k.l.in.cur.Scan + k.l.in.cur.Keep - k.l.in.cur.Start
	fault := k.l.in.end(closed)
	if closed {
		k.repeats.add(now, slog.LevelInfo, "server closed", "", "addr", k.addr)
		k.life.fed = k.life.fed || rest > 0
		if fault != nil && k.l.cfg.ExitOnClose {
			k.l.stop.err = errors.Join(k.l.stop.err, fmt.Errorf("--exit-on-close: %s: %w", k.addr, fault))
		}
		k.on(evEndOfStream, about{now: now, clean: true})
		return
	}
	err := errors.New("the server closed the connection without a goodbye")
	if k.peer.aborted {
		err = unix.ECONNRESET
	}
	k.lost(now, "receive", err)
}

// protocolError ends the connection because of a fault of the peer. Messages before it
// are finished within errorGrace, or in a drain by its deadline; bytes after it are not
// looked at.
func (k *conn) protocolError(err *wire.Error, now time.Duration) {
	k.life.end(now)
	k.l.in.reset()
	if k.state == login && k.turnedAway(err, now) {
		return
	}
	k.on(evFault, about{now: now, code: k.count(err, now)})
}

// count counts and logs a fault of the peer, and returns the code for our close.
func (k *conn) count(fault *wire.Error, now time.Duration) worker.Code {
	k.l.stats.addError(fault.Reason)
	k.life.fault = fmt.Errorf("%s: %w", k.addr, fault)
	k.repeats.add(now, slog.LevelError, "protocol error", fault.Reason, "addr", k.addr, "error", fault.Detail)
	return fault.Code
}

// lost ends a connection that has failed.
func (k *conn) lost(now time.Duration, doing string, err error) {
	k.on(evLost, about{now: now, doing: doing, err: err})
}

// cannotSend handles a connection that accepts no more bytes.
func (k *conn) cannotSend(now time.Duration, err error) {
	k.on(evSendFault, about{now: now, doing: "send", err: err})
}

// closeSend closes our sending side, or leaves it to the next turn. Where the server is to
// close first (RFC 6455, section 7.1.1), it stays open until the server has.
func (k *conn) closeSend(now time.Duration) {
	if k.l.set.traits.PeerEnds && k.life.ready {
		k.on(evAllSent, about{now: now})
		return
	}
	switch err := k.sock.closeSend(); {
	case err == nil:
		k.on(evSendClosed, about{now: now})
	case wouldBlock(err):
		k.peer.writable = false
	default:
		k.on(evShutFault, about{now: now, doing: "close", err: err})
	}
}

// discard reads and discards until the server closes: closing a socket with unread
// bytes resets the connection, which destroys acks that the server has not read.
func (k *conn) discard(now time.Duration) {
	for range lingerReads {
		n, err := k.sock.recv(k.l.scratch[:])
		if err != nil && wouldBlock(err) {
			k.peer.readable = false
			break
		}
		if err == nil && n > 0 {
			continue
		}
		over := err != nil || k.sock.over() // before destroyed: TCP acks may arrive in between
		if over || k.destroyed() == 0 {
			k.on(evLingerOver, about{now: now, err: err})
			return
		}
		k.peer.readable = false // closed, but its TCP may yet acknowledge our bytes, or reset
		break
	}
	if k.end.linger == 0 && k.sock.unacked() == 0 {
		k.end.linger = now + lingerTime
	}
}

// destroyed is the number of messages whose acks are lost with the connection: the kernel
// had accepted them, and the peer's TCP has not acknowledged them. It is 0 where the server
// gets them again on the next connection, and after our close, or close_notify: the peer may
// have read all it wanted and reset the rest.
func (k *conn) destroyed() int {
	l := k.l
	silent := l.set.traits.EOFCloses && !l.set.upstream.tls
	closeSent := k.is(lingers) || k.is(closes) && l.out.Len() == 0
	if l.set.traits.Sequenced || closeSent && !silent {
		return 0
	}
	unacked := k.sock.unacked()
	if k.state == lingering {
		unacked-- // FIN
	}
	l.out.Transmitted(max(0, unacked))
	return l.out.InKernel()
}
