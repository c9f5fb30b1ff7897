package gateway

import (
	"time"

	"feedgate/gateway/wire"
)

// session is what outlives a connection: which session of the server's this is.
type session struct {
	id      string // as the server named it; empty: cannot be resumed
	reached bool   // a login succeeded at least once
}

// begin takes the server's word on which session the connection belongs to.
func (s *session) begin(l *loop, e wire.Event, now time.Duration) {
	s.reached = true
	if !l.set.traits.Sequenced {
		l.seq.restart(1)
		l.ack.connect(l.link.conn)
		return
	}
	if s.id != "" && e.Session == s.id {
		l.log.Info("session resumed", "session", s.id, "first", e.First, "in_flight", l.win.span())
		l.ack.connect(l.link.conn)
		s.note(l, l.seq.resume(e.First), now)
		return
	}
	if s.id != "" {
		l.log.Warn("session is new; nothing from before counts as done",
			"old", s.id, "session", e.Session, "first", e.First, "given_up", l.win.owed())
	}
	s.id = e.Session
	l.win.forsake()
	l.seq.restart(e.First)
	l.ack.connect(l.link.conn)
}

// note counts and logs what a sequence number gave away.
func (s *session) note(l *loop, v verdict, now time.Duration) {
	if !v.gap.empty() {
		l.stats.Gaps.Add(1)
		l.log.Warn("gap in the sequence numbers", "first", v.gap.first, "last", v.gap.last)
	}
	if !v.skipped.empty() {
		l.ack.waive(v.skipped, now)
	}
}
