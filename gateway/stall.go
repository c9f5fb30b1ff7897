package gateway

import (
	"fmt"
	"log/slog"
	"time"
)

// stall notices that no message becomes done while some are with workers (--stall-after). A
// message that is done and whose ack the server does not read is no reason: the clock is paused
// while unsent acks keep the loop from taking replies. The loop owns it.
type stall struct {
	since    time.Duration // when a worker was last done with a message, or had none, or the clock was paused
	reported bool          // since then
}

// watch is called at the start of each turn.
func (s *stall) watch(l *loop, now time.Duration) {
	if l.track.Working() == 0 || l.out.Len() >= maxUnsent {
		s.since = now
	}
}

// progress: a worker is done with a message.
func (s *stall) progress(l *loop, now time.Duration) {
	if s.reported {
		s.reported = false
		l.stats.stalled.Store(nil)
		l.conn.log.add(now, slog.LevelInfo, "goes on", "", "after", (now - s.since).Round(time.Millisecond))
	}
	s.since = now
}

// due is when a stall is to be reported; 0: there is none yet.
func (s *stall) due(l *loop) time.Duration {
	if l.cfg.StallAfter == NoTimeout || s.reported || l.track.Working() == 0 || l.out.Len() >= maxUnsent {
		return 0
	}
	return s.since + l.cfg.StallAfter
}

// report logs the stall, once, and shows it in the statistics.
func (s *stall) report(l *loop, now time.Duration) {
	s.reported = true
	at := l.waiting()
	verb := "wait"
	if at.total() == 1 {
		verb = "waits"
	}
	words := fmt.Sprintf("no message was done for %v: %d %s: %s",
		l.cfg.StallAfter, at.total(), verb, at.describe(l.cfg.SinkLabel, l.cfg.DeadLetterLabel))
	l.stats.stalled.Store(&words)
	l.conn.log.add(now, slog.LevelWarn, "stalled", "", "where", words)
}
