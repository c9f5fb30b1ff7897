package gateway

import (
	"log/slog"
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/worker"
)

// session is the server's session, which outlives a connection.
type session struct {
	id           string // as the server named it; empty: cannot be resumed
	everLoggedIn bool   // a login succeeded at least once
	restored     bool   // id is of an earlier process, and this one has received nothing
	secret       bool   // id holds the token: it is in no file
	name         string // the upstream's, in the state file
	saved        stateEntry
	begun        int // sessions that were given to the state file
	awaitedWrite int // which of them is not in it yet: no worker gets a message before it is; 0: none
}

// restore resumes the session that an earlier process has left in the state file.
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

// save records in the state file how far the session has come. A new session's messages wait
// until it is in the file.
func (s *session) save(l *loop) {
	if l.cfg.State == nil || !l.set.codec.Sequenced {
		return
	}
	var now stateEntry // of a session without a name nothing can be resumed
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

// writeEnded ends the wait for the n-th session that was given to the state file. After an
// error its messages are processed all the same: the file will be written again, and a disk
// that is full for a day must not stop the feed.
func (s *session) writeEnded(l *loop, n int, err error) {
	if n != s.awaitedWrite {
		return // the server has begun another one since
	}
	s.awaitedWrite = 0
	if err != nil {
		l.conn.log.add(l.env.now(), slog.LevelError, "cannot write the new session; will go on trying", "",
			"session", s.id, "error", err)
	}
}

// begin begins or resumes the session that the server has named for the connection.
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
		l.conn.log.add(now, slog.LevelWarn, "session is new; nothing from before counts as done", "",
			"old", s.id, "session", e.Session, "first", e.First, "given_up", l.track.Unacked())
		if l.stop.ending {
			l.stop.lostAcks += l.track.Unacked()
		}
	}
	s.id = e.Session
	if s.secret = l.set.masks.Hides(s.id); s.secret && l.cfg.State != nil {
		l.conn.log.add(now, slog.LevelWarn, "the session's name holds the secret; --state does not keep it", "")
	}
	l.track.Connect(l.conn.proto, e.First)
	s.save(l)
}

// countGap counts and logs sequence numbers that are missing, if there are any.
func (l *loop) countGap(gap delivery.Range) {
	if !gap.Empty() {
		l.stats.Gaps.Add(1)
		l.gaps.add(gap)
	}
}
