package ws

import (
	"time"

	"feedgate/gateway/wire"
)

// stall watches a message that has begun: one to which nothing is added for too
// long will not be finished. Control frames add nothing, so a server that goes on with
// pings does not keep it.
//
// Time passes from Tick to Tick, as far as Decode is called after each: while the
// loop does not read, nothing can be added.
type stall struct {
	limit time.Duration // 0: for ever
	now   time.Duration // of the last Tick
	seen  time.Duration // now when Decode was last called
	idle  time.Duration // since something was added
	mark  progress
}

// progress differs when something was added to a message.
type progress struct {
	fragments, joined, rest int
	skip                    uint64
}

// period is how often a Tick is needed.
func (s *stall) period() time.Duration { return max(s.limit/8, time.Millisecond) }

// tick takes the time and says when it wants the next one, given when others do.
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

// over reports whether the time is up.
func (s *stall) over(p progress) bool {
	passed := min(s.now-s.seen, 2*s.period())
	s.seen = s.now
	if p != s.mark || p == (progress{}) {
		s.mark, s.idle = p, 0
		return false
	}
	s.idle += passed
	return s.limit > 0 && s.idle >= s.limit
}

// checkStalled is the end of a Decode that brought no event.
func (c *conn) checkStalled(buf []byte, in *wire.Input) *wire.Error {
	if !c.stall.over(progress{c.fragments, in.Keep - in.Start, len(buf) - in.Scan, c.skip.Remaining()}) {
		return nil
	}
	return c.fail(codePolicy, "nothing was added to it for --idle-timeout %v", c.stall.limit)
}
