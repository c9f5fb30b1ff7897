package nsq

import "time"

const (
	// periodMost is how often Ready is asked at the least.
	periodMost = time.Second
	// periodLeast keeps a very short msg_timeout from taking all of the loop's time.
	periodLeast = 20 * time.Millisecond
)

// period is how often Tick is needed. With a msg_timeout of 100 ms or more, half of that
// and two periods are less than the whole; a heartbeat interval and two periods are less
// than the two intervals that nsqd waits.
func (c *conn) period() time.Duration {
	return max(periodLeast, min(periodMost, c.server.timeout/20, c.server.heartbeat/4))
}

// Tick appends TOUCH for what is being worked on, RDY when another count is wanted, and
// NOP when nothing else was said for a heartbeat interval: while the loop does not read, it
// answers no heartbeats, and nsqd closes after two intervals without a command.
func (c *conn) Tick(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	if !c.seen {
		c.seen, c.last = true, now
	}
	if c.phase < open || c.phase == closed {
		c.last = now
		return dst, 0
	}
	if !c.armed {
		c.armed, c.said = true, true
	} else if now < c.next {
		return dst, c.next
	}
	before := len(dst)
	c.flight.gather(c.last)
	dst = c.flight.touch(dst, now, c.server.timeout/2, c.server.maxTimeout)
	dst = c.adjust(dst)
	switch {
	case c.said || len(dst) > before:
		c.quiet = now
	case now-c.quiet >= c.server.heartbeat:
		dst = append(dst, cmdNop...)
		c.quiet = now
	}
	c.said, c.last, c.next = false, now, now+c.period()
	return dst, c.next
}
