package gateway

import (
	"log/slog"
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/worker"
)

// session identifies the server's session, which can outlive a connection. The loop owns it.
type session struct {
	id           string // from the server; empty: the session cannot be resumed
	everLoggedIn bool   // a login has succeeded
	restored     bool   // id is from an earlier process, and no connection has resumed it yet
	secret       bool   // id contains the token, so it is never stored
	name         string // of the upstream in the state file
	saved        stateEntry
	begun        int // number of sessions passed to the state file
	awaitedWrite int // number of the one whose write is pending: until then, no worker gets a message; 0: none
}

// restore loads the session that an earlier process stored in the state file.
func (s *session) restore(l *loop) {
	if !l.set.codec.Sequenced {
		return
	}
	name := l.cfg.stateName()
	s.name = name.String()
	e := l.cfg.State.claim(name)
	if e.Session == "" {
		return
	}
	s.id, s.restored, s.saved = e.Session, true, e
	l.log.Info("session restored", "session", e.Session, "seq", e.Seq)
}

// save passes the session and its watermark to the state file. The messages of a new session wait
// until it is stored.
func (s *session) save(l *loop) {
	if l.cfg.State == nil || !l.set.codec.Sequenced {
		return
	}
	var now stateEntry // zero for a session without an id, which cannot be resumed
	if s.id != "" && !s.secret {
		now = stateEntry{s.id, l.track.Watermark()}
	}
	if now == s.saved {
		return
	}
	begins := now.Session != s.saved.Session
	s.saved = now
	switch {
	case !begins:
		l.cfg.State.set(s.name, now)
	case now.Session == "":
		s.awaitedWrite = 0
		l.cfg.State.set(s.name, now)
	default:
		s.begun++
		n := s.begun
		s.awaitedWrite = n
		l.cfg.State.begin(s.name, now, func(err error) {
			l.env.post(func() { s.writeEnded(l, n, err) })
		})
	}
}

// writeEnded ends the wait for the n-th session passed to the state file. Even after an error, its
// messages are processed: the write is retried, and a full disk must not stop the feed.
func (s *session) writeEnded(l *loop, n int, err error) {
	if n != s.awaitedWrite {
		return // the server has begun another session since
	}
	s.awaitedWrite = 0
	if err != nil {
		l.conn.log.add(l.env.now(), slog.LevelError, "cannot write the new session; will keep trying", "",
			"session", s.id, "error", err)
	}
}

// begin begins or resumes the session that the server announced for the connection.
func (s *session) begin(l *loop, e wire.Event, now time.Duration) {
	s.everLoggedIn = true
	l.receiver.setOrigin(&worker.Origin{Upstream: l.cfg.Label, Session: e.Session, Meta: l.set.codec.Meta, ID: l.set.picker()})
	if !l.set.codec.Sequenced {
		l.track.Connect(l.conn.proto, 1)
		return
	}
	restored := s.restored
	s.restored = false
	if restored && e.Session == s.id {
		l.log.Info("session of an earlier process resumed", "session", s.id, "first", e.First)
		l.track.ConnectRestored(l.conn.proto, e.First)
		return
	}
	if s.id != "" && e.Session == s.id {
		l.conn.log.add(now, slog.LevelInfo, "session resumed", "", "session", s.id, "first", e.First, "in_flight", l.track.InFlight())
		l.countGap(l.track.Resume(l.conn.proto, e.First, now))
		return
	}
	if s.id != "" {
		l.conn.log.add(now, slog.LevelWarn, "new session; earlier messages do not count as done", "",
			"old", s.id, "session", e.Session, "first", e.First, "unacked", l.track.Unacked())
		if l.stop.ending {
			l.stop.lostAcks += l.track.Unacked()
		}
	}
	s.id = e.Session
	if s.secret = l.set.masks.Hides(s.id); s.secret && l.cfg.State != nil {
		l.conn.log.add(now, slog.LevelWarn, "the session's name contains the secret; --state does not store it", "")
	}
	l.track.Connect(l.conn.proto, e.First)
	s.save(l)
}

// countGap counts and logs missing sequence numbers, if any.
func (l *loop) countGap(gap delivery.Range) {
	if !gap.Empty() {
		l.stats.Gaps.Add(1)
		l.gaps.add(gap)
	}
}
