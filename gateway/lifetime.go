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
	ready bool          // the login succeeded
	over  bool          // its end has begun; until is set
	from  time.Duration // when it became ready
	until time.Duration // when its end began
	fed   bool          // a message was received, or part of one
	fault error         // why it ended; nil: a clean close, or our own
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
func (k *conn) failOver() bool {
	if k.life.settled() || k.life.fed || k.l.stop.leaving {
		return false
	}
	k.dialer.addresses.fail(k.at)
	k.spared = k.dialer.addresses.untried()
	return k.spared
}

// noOther reports whether the clean close that failOver took for a failure was one after
// all: since then, no address could be reached.
func (k *conn) noOther() bool { return k.spared && !k.dialer.addresses.untried() }

// judge records, once a connection has ended, whether its address worked.
func (k *conn) judge(now time.Duration) {
	k.life.end(now)
	k.spared = k.spared && !k.life.settled() && !k.life.fed
	switch {
	case k.life.settled():
		k.dialer.addresses.work(k.at)
		k.backoff.Reset()
	case k.via != nil: // the redirect decides
	default:
		k.dialer.addresses.fail(k.at)
		if !k.life.ready && (!k.l.stop.leaving || k.needsResume()) {
			k.giveUp(k.life.fault)
		}
	}
}

// giveUp ends the gateway when --connect-attempts in a row have failed, the last of them
// by err.
func (k *conn) giveUp(err error) bool {
	if !k.dialer.exhausted() {
		return false
	}
	if err == nil {
		err = errors.New("the server closed the connection")
	}
	k.l.fail(fmt.Errorf("--connect-attempts: %d in a row did not become ready; the last: %w", k.dialer.attempts, err))
	return true
}

// wait is how long to wait before the next dial: the backoff's wait or, if the server asked
// for a longer one, that, up to ReconnectMax.
func (k *conn) wait() time.Duration {
	asked := k.stayOff
	k.stayOff = 0
	if k.via != nil {
		return 0
	}
	return min(max(asked, k.backoff.NextBackOff()), k.l.cfg.ReconnectMax)
}
