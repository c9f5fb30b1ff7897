package ws

import (
	"time"

	"feedgate/gateway/wire"
)

// stall watches an unfinished message: without progress for too long, it will not be finished.
// Control frames are not progress, so a server that only sends pings does not keep it alive.
//
// Time passes from Tick to Tick, if Decode is called after each: while the loop does not read,
// there can be no progress.
type stall struct {
	limit time.Duration // 0: no limit
	now   time.Duration // time of the last Tick
	seen  time.Duration // now at the last Decode
	idle  time.Duration // time without progress
	last  progress
}

// progress changes whenever bytes of a message arrive.
type progress struct {
	fragments, joined, rest int
	skip                    uint64
}

// period returns the interval of Tick.
func (s *stall) period() time.Duration { return max(s.limit/8, time.Millisecond) }

// tick sets the time and returns when to call it next; next is when others need a Tick.
func (s *stall) tick(now, next time.Duration) time.Duration {
	if s.limit == 0 {
		return next
	}
	s.now = now
	if at := now + s.period(); next == 0 || at < next {
		return at
	}
	return next
}

// over reports whether the limit is exceeded.
func (s *stall) over(p progress) bool {
	passed := min(s.now-s.seen, 2*s.period())
	s.seen = s.now
	if p != s.last || p == (progress{}) {
		s.last, s.idle = p, 0
		return false
	}
	s.idle += passed
	return s.limit > 0 && s.idle >= s.limit
}

// checkStalled fails a message that has made no progress for too long. It is called at the end of
// a Decode without an event.
func (c *conn) checkStalled(buf []byte, in *wire.Input) *wire.Error {
	if !c.stall.over(progress{c.fragments, in.Keep - in.Start, len(buf) - in.Scan, c.skip.Remaining()}) {
		return nil
	}
	return c.fail(codePolicy, "no progress for --idle-timeout %v", c.stall.limit)
}
