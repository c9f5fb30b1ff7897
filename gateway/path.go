package gateway

import (
	"fmt"
	"time"
)

const (
	// pathPoll is the longest between two looks at a path on which something is unacknowledged.
	pathPoll = 500 * time.Millisecond
	// minPathLimit is longer than a live peer can leave probes unanswered: Linux answers only one in
	// 500 ms (tcp_invalid_ratelimit), and the one after that is sent within a second.
	minPathLimit = 1500 * time.Millisecond
)

// pathState is what our TCP knows of the path to the peer's.
type pathState struct {
	pending bool          // the peer's TCP has not acknowledged all that was sent
	resent  bool          // some of it was sent again, or a window probe was sent, since the peer last accepted some
	quiet   bool          // and our window has let in nothing since
	silence time.Duration // since our window last let in an ack, or data
	// resends changes whenever something is sent again.
	resends uint64
	// answers changes with each answer: bytes acknowledged, acks without data, and new data, which the
	// peer cannot go on sending without acks of ours. It changes with window probes of the peer, too,
	// but these are not let in.
	//
	// What the peer only sends again is no answer, though it may be let in with an ack of its own:
	// it shows that the peer has none of ours.
	answers uint64
}

// pathWatch finds out that a path is dead on which bytes of ours are unacknowledged, by asking our
// TCP now and then. A live peer whose window is closed answers every window probe. Probes back
// off to 120 s, so the time since its last ack shows nothing: what counts is how long a probe
// has had no answer.
//
// With nothing unacknowledged it is off; then TCP keepalive finds a dead path.
type pathWatch struct {
	limit time.Duration // --idle-timeout, or pathLeast if that is more; not positive: off
	next  time.Duration // when to look; 0: when something is sent
	since time.Duration // all looks since then have found the same unanswered; 0: the last found nothing

	lastLook      time.Duration // last
	resends       uint64        // then
	answers       uint64        // then
	answersBefore uint64        // answers at the last look before the latest resend
}

func newPathWatch(idle time.Duration) pathWatch {
	if idle <= 0 {
		return pathWatch{}
	}
	return pathWatch{limit: max(idle, minPathLimit)}
}

// sent begins the watch, unless it is on.
func (w *pathWatch) sent(now time.Duration) {
	if w.next == 0 && w.limit > 0 {
		w.next = now + w.interval()
	}
}

func (w *pathWatch) interval() time.Duration { return min(w.limit/10, pathPoll) }

// dead reports whether the path with the state s is.
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
		// What was unanswered before has been answered, and this may have been sent only now.
		w.since = now
	}
	left := w.since + w.limit - now
	w.next = now + min(w.interval(), left)
	return left <= 0
}

// checkPath gives the connection up if its path is dead.
func (c *conn) checkPath(now time.Duration) {
	if !c.path.dead(c.sock.path(), now) {
		return
	}
	err := fmt.Errorf("nothing was acknowledged for --idle-timeout %v, though it was sent again", c.l.cfg.IdleTimeout)
	if c.is(lingers) {
		c.on(evLingerEnded, details{now: now, err: err})
		return
	}
	c.lost(now, "send", err)
}
