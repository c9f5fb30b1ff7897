package gateway

import "time"

// skipped is the messages over --max-message that were skipped and not logged yet. The
// loop owns it.
type skipped struct {
	messages int
	longest  uint64        // bytes
	at       time.Duration // when the next line may be logged
}

func (s *skipped) add(messages int, longest uint64) {
	s.messages += messages
	s.longest = max(s.longest, longest)
}

// due is when there will be something to log; zero: there is nothing.
func (s *skipped) due() time.Duration {
	if s.messages == 0 {
		return 0
	}
	return max(s.at, 1)
}

// logSkipped logs, at most once per second, how many messages were skipped.
func (l *loop) logSkipped(now time.Duration) {
	s := &l.skipped
	if s.messages == 0 || now < s.at && !l.stop.leaving {
		return
	}
	l.log.Warn("messages over --max-message skipped and refused with code 3", "addr", l.link.addr,
		"messages", s.messages, "longest", s.longest, "max_message", l.cfg.MaxMessage)
	*s = skipped{at: now + time.Second}
}
