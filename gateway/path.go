package gateway

import (
	"fmt"
	"time"
)

const (
	// pathPoll is the longest interval between checks of a path with unacknowledged bytes.
	pathPoll = 500 * time.Millisecond
	// minPathLimit is longer than a live peer can leave probes unanswered: Linux answers only one
	// probe in 500 ms (tcp_invalid_ratelimit), and the next probe follows within a second.
	minPathLimit = 1500 * time.Millisecond
)

// pathState is what our TCP knows about the path to the peer. A segment is accepted if it is in our
// receive window.
type pathState struct {
	pending bool          // bytes or a FIN are unacknowledged
	resent  bool          // some were retransmitted, or a window probe was sent, since the peer last acknowledged any
	quiet   bool          // and no segment was accepted since then
	silence time.Duration // since an ack or data was last accepted
	// resends changes with every retransmission and window probe.
	resends uint64
	// answers changes with every answer: with acknowledged bytes, acks without data, and new data,
	// which the peer could not keep sending without our acks. It also changes with the peer's window
	// probes, but those are not accepted.
	//
	// A retransmission of the peer is no answer, even if it is accepted as an ack: it shows that the
	// peer has received none of our acks.
	answers uint64
}

// pathWatch detects a dead path while our bytes are unacknowledged, by polling the state of our TCP.
// A live peer with a closed window answers every window probe. Probes back off to 120 s, so the time
// since the last ack proves nothing: what counts is how long a probe or a retransmission has been
// unanswered.
//
// With nothing unacknowledged it is off; TCP keepalive then detects a dead path.
type pathWatch struct {
	limit time.Duration // --idle-timeout, at least minPathLimit; not positive: off
	next  time.Duration // time of the next check; 0: when something is sent
	since time.Duration // all checks since then found no answer; 0: the last one found an answer

	lastLook      time.Duration // time of the last check
	resends       uint64        // at the last check
	answers       uint64        // at the last check
	answersBefore uint64        // at the last check before the latest resend
}

func newPathWatch(idle time.Duration) pathWatch {
	if idle <= 0 {
		return pathWatch{}
	}
	return pathWatch{limit: max(idle, minPathLimit)}
}

// sent starts the watch, unless it is on.
func (w *pathWatch) sent(now time.Duration) {
	if w.next == 0 && w.limit > 0 {
		w.next = now + w.interval()
	}
}

func (w *pathWatch) interval() time.Duration { return min(w.limit/10, pathPoll) }

// dead checks the path's state and reports whether the path is dead.
func (w *pathWatch) dead(s pathState, now time.Duration) bool {
	if s.resends != w.resends {
		w.resends, w.answersBefore = s.resends, w.answers
	}
	answered := s.answers != w.answers && s.silence < now-w.lastLook
	w.lastLook, w.answers = now, s.answers
	switch {
	case !s.pending:
		w.next, w.since = 0, 0
		return false
	case !s.resent, !s.quiet && s.answers != w.answersBefore:
		w.next, w.since = now+w.interval(), 0
		return false
	case w.since == 0, answered:
		// Everything earlier has been answered; this may have been sent just now.
		w.since = now
	}
	left := w.since + w.limit - now
	w.next = now + min(w.interval(), left)
	return left <= 0
}

// checkPath ends the connection if its path is dead.
func (c *conn) checkPath(now time.Duration) {
	if !c.path.dead(c.sock.path(), now) {
		return
	}
	err := fmt.Errorf("no answer to retransmissions within --idle-timeout %v", c.l.cfg.IdleTimeout)
	if c.is(lingers) {
		c.on(evLingerEnded, details{now: now, err: err})
		return
	}
	c.lost(now, "send", err)
}
