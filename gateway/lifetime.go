package gateway

import (
	"errors"
	"fmt"
	"time"
)

// stableAfter is how long a connection must be ready for its address to count as working.
const stableAfter = time.Second

// lifetime records how long a connection was ready and why it ended, which decides whether its
// address counts as working. The loop owns it.
type lifetime struct {
	ready    bool          // the login succeeded
	ended    bool          // its end has begun
	readyAt  time.Duration // valid if ready
	endedAt  time.Duration // valid if ended
	received bool          // a message, or part of one, was received
	fault    error         // why it ended; nil: by a clean close or our own
}

func (f *lifetime) begin(now time.Duration) { f.ready, f.readyAt = true, now }

// end records when the end of the connection began. Only the first call has an effect.
func (f *lifetime) end(now time.Duration) {
	if !f.ended {
		f.ended, f.endedAt = true, now
	}
}

// stable reports whether the connection, now ended, was ready for long enough.
func (f *lifetime) stable() bool { return f.ready && f.endedAt-f.readyAt >= stableAfter }

// failOver treats a clean close as a failure of the address if it came at once and without a message,
// as from a proxy without a backend, and another address is untried. It returns false otherwise.
func (c *conn) failOver() bool {
	if c.life.stable() || c.life.received || c.l.stop.ending {
		return false
	}
	c.dialer.addresses.fail(c.target)
	c.closeIgnored = c.dialer.addresses.untried()
	return c.closeIgnored
}

// closeWasClean reports whether a clean close that failOver treated as a failure is to count as clean
// after all, because no other address could be reached.
func (c *conn) closeWasClean() bool { return c.closeIgnored && !c.dialer.addresses.untried() }

// recordOutcome records, after the end of a connection, whether its address worked.
func (c *conn) recordOutcome(now time.Duration) {
	c.life.end(now)
	c.closeIgnored = c.closeIgnored && !c.life.stable() && !c.life.received
	switch {
	case c.life.stable():
		c.dialer.addresses.work(c.target)
		c.backoff.Reset()
	case c.nextRedirect != nil: // the redirect decides
	default:
		c.dialer.addresses.fail(c.target)
		if !c.life.ready && (!c.l.stop.ending || c.needsResume()) {
			c.giveUp(c.life.fault)
		}
	}
}

// giveUp ends the gateway if --connect-attempts consecutive attempts have failed, the last one with
// err.
func (c *conn) giveUp(err error) bool {
	if !c.dialer.exhausted() {
		return false
	}
	if err == nil {
		err = errors.New("the server closed the connection")
	}
	err = fmt.Errorf("%d consecutive attempts failed, the last one with: %w", c.dialer.attempts, err)
	c.l.fail(causedBy("--connect-attempts", err, ErrConnect))
	return true
}

// wait returns how long to wait before the next dial: the backoff's wait or the server's Retry-After,
// whichever is longer, up to ReconnectMax.
func (c *conn) wait() time.Duration {
	asked := c.retryAfter
	c.retryAfter = 0
	if c.nextRedirect != nil {
		return 0
	}
	return min(max(asked, c.backoff.NextBackOff()), c.l.cfg.ReconnectMax)
}
