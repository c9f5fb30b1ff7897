package feedserver

import (
	"math"
	"time"
)

// resumeAt makes tick pump at t.
func (c *conn) resumeAt(t time.Duration) {
	c.resume = t
	c.l.wakeAt(t)
}

// tick does what is due and returns when something will be again; never is
// [math.MaxInt64].
func (c *conn) tick() (next time.Duration) {
	now := c.l.now
	switch {
	case c.silent || c.killed:
		return math.MaxInt64
	case c.state == stateClosing:
		if now >= c.deadline {
			c.kill()
			return math.MaxInt64
		}
		return c.deadline
	}
	if !c.l.traits.pings && c.ses != nil && c.ses.led.base == c.next {
		c.lastRead = now
	}
	next = c.lastRead + c.l.cfg.IdleTimeout
	if now >= next {
		c.l.log.Warn("nothing was received for too long, dropping", "client", c.name(), "timeout", c.l.cfg.IdleTimeout)
		c.kill()
		return math.MaxInt64
	}
	if c.state == stateRunning && c.l.traits.pings {
		if now >= c.nextPing {
			c.nextPing = now + c.l.cfg.Heartbeat
			if len(c.replies) == 0 {
				c.pings++
				c.replies = c.codec.appendPing(c.replies, c.pings)
			}
			c.pump()
		}
		next = min(next, c.nextPing)
	}
	if s := c.ses; s != nil {
		if s.expire(now) {
			c.pump()
		}
		if now < s.ends {
			next = min(next, s.ends)
		}
	}
	if c.resume > 0 && now >= c.resume {
		c.pump()
	}
	if c.resume > 0 {
		next = min(next, c.resume)
	}
	return next
}
