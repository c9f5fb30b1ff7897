package gateway

import (
	"log/slog"
	"time"
)

// part begins the end of the connection: the server has all that we will send. Where it
// is to close first (RFC 6455, section 7.1.1), our side stays open until it has.
func (k *link) part(now time.Duration) {
	if k.l.set.traits.PeerEnds && k.life.ready {
		k.linger(true)
		return
	}
	k.closeSend(now)
}

// linger waits for the peer's acks of TCP and its close; sendOpen: our sending side is not
// closed yet.
func (k *link) linger(sendOpen bool) {
	k.phase, k.deadline, k.readable, k.sendOpen = lingering, 0, true, sendOpen
}

// closeSend ends our side.
func (k *link) closeSend(now time.Duration) {
	err := k.sock.closeSend()
	if err != nil && wouldBlock(err) {
		k.writable = false
		return
	}
	switch {
	case err == nil:
		k.linger(false)
	case k.peerClosed: // and did not wait for our end; what it sent last may be unread
		k.linger(true)
	default:
		k.lost(now, "close", err)
	}
}

// stepLingering reads and discards until the server closes, so that no reset
// destroys acks on their way: closing a socket with unread bytes resets it.
func (k *link) stepLingering(now time.Duration) {
	for range lingerReads {
		n, err := k.sock.recv(k.l.scratch[:])
		if err != nil && wouldBlock(err) {
			k.readable = false
			break
		}
		if err == nil && n > 0 {
			continue
		}
		over := err != nil || k.sock.over() // asked first: acks may come in between
		if over || k.destroyed() == 0 {
			k.parted(now, err)
			return
		}
		k.readable = false // it has closed, and its TCP may still take what we sent, or refuse it
		break
	}
	if k.deadline == 0 && k.sock.unacked() == 0 {
		k.deadline = now + lingerTime
	}
	if k.deadline != 0 && now >= k.deadline || k.deadline == 0 && now-k.wrote >= k.l.cfg.WriteTimeout {
		k.parted(now, nil)
	}
}

// parted ends a connection behind its goodbye; err, unless nil, is how the peer's stream
// ended instead of by a close.
func (k *link) parted(now time.Duration, err error) {
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
