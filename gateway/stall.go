package gateway

import (
	"fmt"
	"log/slog"
	"time"
)

// stall detects that no message becomes done while workers have some (--stall-after). A server that
// does not read acks causes no stall: the clock is paused while unsent acks keep the loop from
// collecting replies. The loop owns it.
type stall struct {
	since    time.Duration // when a message was last done, no worker had one, or the clock was paused
	reported bool          // the current stall
}

// watch is called at the start of each turn.
func (s *stall) watch(l *loop, now time.Duration) {
	if l.track.Working() == 0 || l.out.Len() >= maxUnsent {
		s.since = now
	}
}

// progress is called when a worker is done with a message.
func (s *stall) progress(l *loop, now time.Duration) {
	if s.reported {
		s.reported = false
		l.stats.stalled.Store(nil)
		l.conn.log.add(now, slog.LevelInfo, "resumed", "", "after", (now - s.since).Round(time.Millisecond))
	}
	s.since = now
}

// due returns when to report a stall; 0: never, as things are.
func (s *stall) due(l *loop) time.Duration {
	if l.cfg.StallAfter == NoTimeout || s.reported || l.track.Working() == 0 || l.out.Len() >= maxUnsent {
		return 0
	}
	return s.since + l.cfg.StallAfter
}

// report logs the stall and publishes it in the statistics.
func (s *stall) report(l *loop, now time.Duration) {
	s.reported = true
	at := l.backlog()
	verb := "wait"
	if at.total() == 1 {
		verb = "waits"
	}
	words := fmt.Sprintf("no message was done for %v: %d %s: %s",
		l.cfg.StallAfter, at.total(), verb, at.describe(l.cfg.SinkLabel, l.cfg.DeadLetterLabel))
	l.stats.stalled.Store(&words)
	l.conn.log.add(now, slog.LevelWarn, "stalled", "", "where", words)
}
