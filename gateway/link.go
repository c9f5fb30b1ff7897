package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/backoff"
)

// phase is where a connection stands. It goes down the list; lost connections
// skip the rest.
type phase uint8

const (
	offline   phase = iota // until the time to dial has come
	dialing                // a goroutine connects
	login                  // connected; the protocol is not ready
	open                   // messages come
	finishing              // nothing more is read; what is in flight is finished and acked
	goodbye                // the protocol's close is on its way out
	lingering              // all is sent; the peer's acks of TCP and its close are awaited
)

// phases is a set of them.
type phases uint16

// anyPhase is the set of all.
const anyPhase = ^phases(0)

func in(of ...phase) phases {
	set := phases(0)
	for _, p := range of {
		set |= 1 << p
	}
	return set
}

func (set phases) has(p phase) bool { return set&(1<<p) != 0 }

// peer is what the poller's edges and the calls have shown of the peer and its kernel.
type peer struct {
	readable, writable bool // as the edges left them: the next call may not block
	halfClosed         bool // it has closed or reset: read to the end
	reset              bool // both directions are gone: nothing can be acked any more
	aborted            bool // it was a reset, and not the end of the stream, that came first
}

// edge records an event of the poller: reading, or writing, would not block, the peer has
// closed or reset, both directions are gone.
func (p *peer) edge(readable, writable, halfClosed, reset bool) {
	p.readable = p.readable || readable
	p.writable = p.writable || writable
	p.halfClosed = p.halfClosed || halfClosed
	p.reset = p.reset || reset
}

// link is the connection to the upstream, from the dial to the close. The loop owns it.
type link struct {
	l     *loop
	phase phase
	sock  transport // nil: none
	addr  string
	conn  wire.Conn

	peer peer

	heard time.Duration // when the last bytes came
	wrote time.Duration // when the peer last took bytes, or had none to take
	tick  time.Duration // when the protocol wants to be asked; 0: it does not matter
	why   worker.Code   // for the protocol's close

	loginBy    time.Duration // when the login must have succeeded
	graceEnds  time.Duration // of finishing; 0: it may take as long as it takes
	lingerEnds time.Duration // of lingering; 0: the peer's TCP has not acknowledged all

	stopping   bool          // the peer was asked to send no more
	rest       time.Duration // until then messages may follow its answer; 0: none will
	peerClosed bool          // the peer sends no more
	sendOpen   bool          // while lingering: our sending side is not closed yet
	notify     bool          // close_notify decides whether the close was clean

	life   lifetime // of the connection
	spared bool     // failOver took a clean close for a failure of the address
	owed   int      // acks that the last connection left unsent

	at      target        // the address that it is connected to
	host    string        // HOST:PORT of it, as in the URL
	hop     *redirect     // the redirect that led there; nil: none
	via     *redirect     // the redirect that the next dial follows; nil: none
	stayOff time.Duration // Retry-After, before the next dial; 0: none

	dialer  dialer
	cancel  context.CancelFunc // of the dial in progress; nil: none
	backoff *backoff.Backoff
	redial  time.Duration
	repeats repeats
}

func (k *link) init(l *loop) {
	k.l = l
	k.dialer = newDialer(l.set.upstream.hosts, l.cfg.ConnectTimeout)
	k.dialer.limit = l.cfg.ConnectAttempts
	k.dialer.secure, k.dialer.tls, k.dialer.protocols = l.set.upstream.tls, l.cfg.TLS, l.set.upstream.alpn()
	if l.set.upstream.tls && l.set.traits.Secures {
		k.dialer.proto = l.set.proto
	}
	k.backoff = backoff.New(l.cfg.ReconnectMin, l.cfg.ReconnectMax)
	k.repeats.log = l.log
	k.redial = 1 // at once
}

// decoding reports whether received bytes are to be decoded and dispatched.
func (k *link) decoding() bool { return k.phase == login || k.phase == open || k.phase == finishing }

// mayLook reports whether the socket is worth a look without an edge.
func (k *link) mayLook() bool { return k.phase == open && k.l.in.bulk && !k.l.paused }

// reading reports whether to read now. A server that was asked to stop is read to the end
// of the stream, for the messages that it was about to send and for its close.
func (k *link) reading() bool {
	return (k.phase == login || k.phase == open || k.phase == finishing && k.stopping) && k.peer.readable
}

func (k *link) finishing() bool { return k.phase == finishing }

// writePending reports whether we have data that the peer has not accepted.
func (k *link) writePending() bool {
	// With nothing left to send, a goodbye waits to close our sending side.
	return k.l.out.Len() > 0 || k.l.in.sendBlocked != 0 || k.phase == goodbye
}

// idlePaused reports whether silence says nothing about the server, so that the idle clock is
// paused: we leave its bytes unread, or it may be waiting for an ack before it sends more.
// If only unsent acks keep us from reading, and there was no edge since the last read, it
// has sent nothing.
func (k *link) idlePaused() bool {
	return k.l.paused && (k.l.in.sendBlocked == 0 || k.peer.readable) || k.l.track.Full() && k.l.track.Working() > 0
}

// awaiting reports whether a drain needs the server to send again, on this connection
// or the next, what can be acked only then.
func (k *link) awaiting() bool {
	l := k.l
	return l.stop.deadline != 0 && l.stop.err == nil && l.session.id != "" && l.track.NeedsRedelivery()
}

// endOfStream handles the end of the peer's bytes.
func (k *link) endOfStream(now time.Duration) {
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
		k.peerCloses(true, now)
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
func (k *link) protocolError(err *wire.Error, now time.Duration) {
	k.life.end(now)
	k.l.in.reset()
	k.stopping = false
	if k.phase == login && k.turnedAway(err, now) {
		return
	}
	code := k.count(err, now)
	k.finish(code)
	k.why = code
	if k.l.stop.deadline == 0 {
		k.graceEnds = now + errorGrace
	}
}

// count counts and logs a fault of the peer, and returns the code for our goodbye.
func (k *link) count(fault *wire.Error, now time.Duration) worker.Code {
	k.l.stats.addError(fault.Reason)
	k.life.fault = fmt.Errorf("%s: %w", k.addr, fault)
	k.repeats.add(now, slog.LevelError, "protocol error", fault.Reason, "addr", k.addr, "error", fault.Detail)
	return fault.Code
}

// finish stops reading; step sends the goodbye once everything that was read is acked.
func (k *link) finish(why worker.Code) {
	if k.phase == login || k.phase == open {
		k.phase, k.why, k.graceEnds = finishing, why, 0
	}
}

// lost ends a connection that has failed.
func (k *link) lost(now time.Duration, doing string, err error) {
	k.life.end(now)
	k.life.fault = fmt.Errorf("%s: %s: %w", k.addr, doing, err)
	k.repeats.add(now, slog.LevelWarn, "connection lost", "", "addr", k.addr, "doing", doing, "error", err)
	k.ended(now)
}

// destroyed is the number of messages whose acks are lost with the connection: the kernel
// had accepted them, and the peer's TCP has not acknowledged them. It is 0 where the server
// gets them again on the next connection, and after a goodbye, or close_notify: the peer may
// have read all it wanted and reset the rest.
func (k *link) destroyed() int {
	l := k.l
	silent := l.set.traits.EOFCloses && !l.set.upstream.tls
	if l.set.traits.Sequenced || k.phase == goodbye && l.out.Len() == 0 && !silent || k.phase == lingering && !silent {
		return 0
	}
	unacked := k.sock.unacked()
	if k.phase == lingering && !k.sendOpen {
		unacked-- // FIN
	}
	l.out.Transmitted(max(0, unacked))
	return l.out.InKernel()
}

// cannotSend ends a connection that accepts no more acks. If the end of the stream is the
// protocol's close, as with a server that sends all it has and closes, what it has sent is
// read and processed first. A reset after the end of the stream shows as EPIPE.
func (k *link) cannotSend(now time.Duration, err error) {
	switch {
	case k.phase == goodbye && k.peerClosed && !k.l.out.Acks():
		// It did not wait for our goodbye, and misses nothing else. Its last bytes may be
		// unread.
		k.l.track.Discard(k.destroyed())
		k.linger(true)
		return
	case !k.l.set.traits.EOFCloses || k.phase != open && k.phase != finishing:
		k.lost(now, "send", err)
		return
	}
	k.life.end(now)
	k.l.log.Warn("acknowledgements cannot be sent any more; reading on", "addr", k.addr, "error", err)
	k.peer.aborted = errors.Is(err, unix.ECONNRESET)
	k.l.track.StopAcking(k.destroyed())
	k.peer.writable = false
	k.peer.readable, k.peer.halfClosed = true, true
}

// ended closes the socket and clears up after a connection, however it ended. It counts
// the acks that are lost with it.
func (k *link) ended(now time.Duration) {
	l := k.l
	destroyed := k.destroyed()
	l.world.unwatch(k.sock)
	k.sock.close()
	k.sock = nil
	k.phase, k.conn = offline, nil
	k.judge(now)
	l.stats.Connected.Store(false)
	l.in.reset()
	k.owed = l.track.Disconnect(destroyed)
	if l.stop.leaving && !k.awaiting() {
		return
	}
	if !l.set.traits.Sequenced {
		k.owed = 0 // the server will send them again, as new messages
	}
	k.redial = now + k.wait()
	l.stats.Reconnects.Add(1)
}
