package feedserver

import (
	"fmt"
	"slices"
)

// admit gives a session to a client of a protocol without session names: the one that was suspended
// first, or a new one. A client may reconnect before the end of its old connection is read; then it
// waits for that.
func (l *loop) admit(c *conn) {
	if l.draining.Load() {
		c.kill()
		return
	}
	for _, o := range l.conns {
		if o.ses != nil && peerHasClosed(o.fd) {
			l.waiting = append(l.waiting, c)
			return
		}
	}
	var s *session
	if len(l.suspended) > 0 {
		s = l.suspended[0]
	} else {
		s = l.newSession()
	}
	s.client = c.g.RemoteAddr().String()
	c.begin(s)
	c.pump()
}

// admitWaiting calls admit again for the clients that wait.
func (l *loop) admitWaiting() {
	l.updateNow()
	waiting := l.waiting
	l.waiting = nil
	for _, c := range waiting {
		if !c.killed {
			l.admit(c)
		}
	}
}

// newSession creates a session and registers it.
func (l *loop) newSession() *session {
	ordinal := uint64(len(l.sessions)) + 1
	var id string
	if l.traits.named {
		id = fmt.Sprintf("%s-%d", l.runID, ordinal)
	}
	s := newSession(id, ordinal, l.count(), l.cfg)
	l.sessions = append(l.sessions, s)
	if l.traits.named {
		l.byID[id] = s
	}
	return s
}

// count is the number of messages per session; 0: endless.
func (l *loop) count() uint64 {
	switch {
	case l.cfg.Count > 0:
		return uint64(l.cfg.Count)
	case l.cfg.Count == 0 && l.cfg.Replay != "":
		return uint64(len(l.stream.ends))
	default:
		return 0
	}
}

// suspend detaches a connection's session, which then waits for its client.
func (l *loop) suspend(c *conn) {
	s := c.ses
	c.ses = nil
	s.detach(l.now)
	l.suspended = append(l.suspended, s)
	l.wakeAt(l.now + l.cfg.SessionTimeout)
}

// resume removes a session from those that wait for their client, if it is one.
func (l *loop) resume(s *session) {
	l.suspended = slices.DeleteFunc(l.suspended, func(o *session) bool { return o == s })
}

// endSession ends a session: the feed does not wait for it any more.
func (l *loop) endSession(s *session) {
	s.over = true
	l.log.Info("session ended", "client", s.client, "session", s.id,
		"sent", s.sent(), "acknowledged", s.acknowledged, "duplicate", s.duplicate, "unknown", s.unknown)
	l.checkDone()
}

// checkDone closes done if enough sessions have begun and all are over. In a drain, only sessions with a
// connection count.
func (l *loop) checkDone() {
	over := len(l.sessions) >= l.cfg.Clients || l.draining.Load()
	for _, s := range l.sessions {
		over = over && (s.over || l.draining.Load() && s.conn == nil)
	}
	if !over {
		return
	}
	select {
	case <-l.done:
	default:
		close(l.done)
	}
}
