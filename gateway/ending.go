package gateway

import (
	"log/slog"
	"time"
)

// lingerReads bounds the reading in one turn.
const lingerReads = 64

// startClose ends our sending side: everything is sent. Where the server is to close
// first (RFC 6455, section 7.1.1), it stays open until the server has.
func (k *link) startClose(now time.Duration) {
	if k.l.set.traits.PeerEnds && k.life.ready {
		k.linger(true)
		return
	}
	k.closeSend(now)
}

// linger waits for the peer's TCP acks and its close; sendOpen: our sending side is not
// closed yet.
func (k *link) linger(sendOpen bool) {
	k.phase, k.lingerEnds, k.peer.readable, k.sendOpen = lingering, 0, true, sendOpen
}

// closeSend closes our sending side, or leaves it to the next turn.
func (k *link) closeSend(now time.Duration) {
	err := k.sock.closeSend()
	if err != nil && wouldBlock(err) {
		k.peer.writable = false
		return
	}
	switch {
	case err == nil:
		k.linger(false)
	case k.peerClosed: // it did not wait for our close; its last bytes may be unread
		k.linger(true)
	default:
		k.lost(now, "close", err)
	}
}

// stepLingering reads and discards until the server closes: closing a socket with unread
// bytes resets the connection, which destroys acks that the server has not read.
func (k *link) stepLingering(now time.Duration) {
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
			k.endLinger(now, err)
			return
		}
		k.peer.readable = false // closed, but its TCP may yet acknowledge our bytes, or reset
		break
	}
	if k.lingerEnds == 0 && k.sock.unacked() == 0 {
		k.lingerEnds = now + lingerTime
	}
	if k.lingerEnds == 0 && now-k.wrote >= k.l.cfg.WriteTimeout {
		k.endLinger(now, nil)
	}
}

// endLinger ends the connection after its goodbye. err, unless nil, is why the peer's
// stream ended without a close.
func (k *link) endLinger(now time.Duration, err error) {
	if k.sendOpen {
		_ = k.sock.closeSend() // nothing is left that could get lost
	}
	switch {
	case !k.notify:
	case err == nil:
		k.l.stop.leaving = true
	default:
		k.repeats.add(now, slog.LevelWarn, "connection lost", "", "addr", k.addr, "doing", "close", "error", err)
	}
	k.ended(now)
}
