package feedserver

import (
	"fmt"
	"slices"
)

// admit gives a session to a client of a protocol without names: the one that
// lost its connection longest ago, or a new one. A client that reconnects can be
// here before its old connection's end was read; then it waits for that.
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
	if len(l.lost) > 0 {
		s = l.lost[0]
	} else {
		s = l.newSession()
	}
	s.client = c.g.RemoteAddr().String()
	c.begin(s)
	c.pump()
}

// admitWaiting tries again with those that had to wait.
func (l *loop) admitWaiting() {
	l.look()
	waiting := l.waiting
	l.waiting = nil
	for _, c := range waiting {
		if !c.killed {
			l.admit(c)
		}
	}
}

// newSession makes a session for a client that brings none.
func (l *loop) newSession() *session {
	ordinal := uint64(len(l.sessions)) + 1
	var id string
	if l.traits.named {
		id = fmt.Sprintf("%s-%d", l.run, ordinal)
	}
	s := newSession(id, ordinal, l.count(), l.cfg)
	l.sessions = append(l.sessions, s)
	if l.traits.named {
		l.byID[id] = s
	}
	return s
}

// count is the messages of a session, 0 for endless.
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

// lose takes a connection's session away, to wait for its client.
func (l *loop) lose(c *conn) {
	s := c.ses
	c.ses = nil
	s.detach(l.now)
	l.lost = append(l.lost, s)
	l.wakeAt(l.now + l.cfg.SessionTimeout)
}

// found ends a session's wait, if it was waiting.
func (l *loop) found(s *session) {
	l.lost = slices.DeleteFunc(l.lost, func(o *session) bool { return o == s })
}

// finish ends a session: it is not waited for any more.
func (l *loop) finish(s *session) {
	s.finished = true
	l.log.Info("session is over", "client", s.client, "session", s.id,
		"sent", s.sent(), "acknowledged", s.acknowledged, "duplicate", s.duplicate, "unknown", s.unknown)
	l.checkDone()
}

// checkDone ends the run when all sessions have come and are over. Draining, only
// those that have a connection are waited for.
func (l *loop) checkDone() {
	over := len(l.sessions) >= l.cfg.Clients || l.draining.Load()
	for _, s := range l.sessions {
		over = over && (s.finished || l.draining.Load() && s.conn == nil)
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
