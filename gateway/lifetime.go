package gateway

import (
	"errors"
	"fmt"
	"time"
)

// settleTime is how long a connection must be ready for its address to count as working.
const settleTime = time.Second

// lifetime is how long a connection was ready and why it ended. It decides whether its
// address counts as working. The loop owns it.
type lifetime struct {
	ready    bool          // the login succeeded
	over     bool          // its end has begun; until is set
	from     time.Duration // when it became ready
	until    time.Duration // when its end began
	received bool          // a message, or part of one
	fault    error         // why it ended; nil: a clean close, or our own
}

func (f *lifetime) begin(now time.Duration) { f.ready, f.from = true, now }

// end notes when the end of the connection began. Only the first call has an effect.
func (f *lifetime) end(now time.Duration) {
	if !f.over {
		f.over, f.until = true, now
	}
}

// settled reports whether the connection, now at its end, was ready for long enough.
func (f *lifetime) settled() bool { return f.ready && f.until-f.from >= settleTime }

// failOver takes a clean close for a failure of the address if it came at once and instead
// of messages, as from a proxy without a backend, and another address is untried. False: it
// is a clean close.
func (c *conn) failOver() bool {
	if c.life.settled() || c.life.received || c.l.stop.leaving {
		return false
	}
	c.dialer.addresses.fail(c.at)
	c.closeIgnored = c.dialer.addresses.untried()
	return c.closeIgnored
}

// noOther reports whether the clean close that failOver took for a failure was one after
// all: since then, no address could be reached.
func (c *conn) noOther() bool { return c.closeIgnored && !c.dialer.addresses.untried() }

// judge records, once a connection has ended, whether its address worked.
func (c *conn) judge(now time.Duration) {
	c.life.end(now)
	c.closeIgnored = c.closeIgnored && !c.life.settled() && !c.life.received
	switch {
	case c.life.settled():
		c.dialer.addresses.work(c.at)
		c.backoff.Reset()
	case c.via != nil: // the redirect decides
	default:
		c.dialer.addresses.fail(c.at)
		if !c.life.ready && (!c.l.stop.leaving || c.needsResume()) {
			c.giveUp(c.life.fault)
		}
	}
}

// giveUp ends the gateway when --connect-attempts in a row have failed, the last of them
// by err.
func (c *conn) giveUp(err error) bool {
	if !c.dialer.exhausted() {
		return false
	}
	if err == nil {
		err = errors.New("the server closed the connection")
	}
	err = fmt.Errorf("--connect-attempts: %d in a row did not become ready; the last: %w", c.dialer.attempts, err)
	c.l.fail(newFieldError(err, ErrConnect))
	return true
}

// wait is how long to wait before the next dial: the backoff's wait or, if the server asked
// for a longer one, that, up to ReconnectMax.
func (c *conn) wait() time.Duration {
	asked := c.stayOff
	c.stayOff = 0
	if c.via != nil {
		return 0
	}
	return min(max(asked, c.backoff.NextBackOff()), c.l.cfg.ReconnectMax)
}
