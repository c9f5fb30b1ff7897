package nsq

import "time"

const (
	// maxPeriod is the longest time between two calls of Ready.
	maxPeriod = time.Second
	// minPeriod keeps a very short msg_timeout from occupying the loop.
	minPeriod = 20 * time.Millisecond
)

// period returns the interval of Tick. With a msg_timeout of 100 ms or more, half the timeout
// plus two periods is less than the timeout; a heartbeat interval plus two periods is less than
// the two intervals that nsqd waits.
func (c *conn) period() time.Duration {
	return max(minPeriod, min(maxPeriod, c.server.timeout/20, c.server.heartbeat/4))
}

// Tick appends TOUCH for messages in work, RDY if the count has changed, and NOP if no command
// was sent for a heartbeat interval: while the loop does not read, heartbeats go unanswered, and
// nsqd closes the connection after two intervals without a command.
func (c *conn) Tick(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	if !c.ticked {
		c.ticked, c.last = true, now
	}
	if c.phase < open || c.phase == closed {
		c.last = now
		return dst, 0
	}
	if !c.armed {
		c.armed, c.sent = true, true
	} else if now < c.next {
		return dst, c.next
	}
	before := len(dst)
	c.flight.addGroup(c.last)
	dst = c.flight.touch(dst, now, c.server.timeout/2, c.server.maxTimeout)
	dst = c.updateReady(dst)
	switch {
	case c.sent || len(dst) > before:
		c.lastSent = now
	case now-c.lastSent >= c.server.heartbeat:
		dst = append(dst, cmdNop...)
		c.lastSent = now
	}
	c.sent, c.last, c.next = false, now, now+c.period()
	return dst, c.next
}
