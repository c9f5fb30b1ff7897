package feedserver

import (
	"math"
	"time"
)

// pumpAt makes tick call pump at t.
func (c *conn) pumpAt(t time.Duration) {
	c.nextPump = t
	c.l.wakeAt(t)
}

// tick performs what is due by the clock and returns the next time at which something is;
// [math.MaxInt64]: never.
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
		c.l.log.Warn("idle timeout, closing the connection", "client", c.name(), "timeout", c.l.cfg.IdleTimeout)
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
	if c.nextPump > 0 && now >= c.nextPump {
		c.pump()
	}
	if c.nextPump > 0 {
		next = min(next, c.nextPump)
	}
	return next
}
