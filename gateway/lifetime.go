package gateway

import (
	"errors"
	"fmt"
	"time"
)

// settleTime is how long a connection has to be ready for its address to count as one
// that works.
const settleTime = time.Second

// lifetime is how long a connection was ready and why it ended, which decides whether its
// address counts as one that works. The loop owns it.
type lifetime struct {
	ready bool // the login succeeded
	over  bool // the connection ends: what comes now is the work of ending it
	from  time.Duration
	until time.Duration
	fed   bool  // something came that is a message, or part of one
	fault error // why it ended, if not well
}

func (f *lifetime) begin(now time.Duration) { f.ready, f.from = true, now }

// end notes the moment at which the connection was done for, if none has come before.
func (f *lifetime) end(now time.Duration) {
	if !f.over {
		f.over, f.until = true, now
	}
}

// settled reports whether the connection, now at its end, was ready for long enough.
func (f *lifetime) settled() bool { return f.ready && f.until-f.from >= settleTime }

// failsOver reports whether a clean close is to be taken for a failure of the address:
// it came at once and instead of messages, as from a proxy without a backend, and there is
// another address that may do better.
func (k *link) failsOver() bool {
	if k.life.settled() || k.life.fed || k.l.stop.leaving {
		return false
	}
	k.dialer.addresses.fail(k.at)
	k.spared = k.dialer.addresses.untried()
	return k.spared
}

// noOther reports whether a clean close that failsOver did not believe was one after all:
// since then, no other address could be reached, nor that one again.
func (k *link) noOther() bool { return k.spared && !k.dialer.addresses.untried() }

// judge decides, once a connection has ended, whether its address has worked.
func (k *link) judge(now time.Duration) {
	k.life.end(now)
	k.spared = k.spared && !k.life.settled() && !k.life.fed
	switch {
	case k.life.settled():
		k.dialer.addresses.work(k.at)
		k.backoff.Reset()
	case k.via != nil: // the redirect decides
	default:
		k.dialer.addresses.fail(k.at)
		if !k.life.ready && (!k.l.stop.leaving || k.awaiting()) {
			k.giveUp(k.life.fault)
		}
	}
}

// giveUp ends the gateway when --connect-attempts in a row have failed, the last of them
// by err.
func (k *link) giveUp(err error) bool {
	if !k.dialer.exhausted() {
		return false
	}
	if err == nil {
		err = errors.New("the server closed the connection")
	}
	k.l.fail(fmt.Errorf("--connect-attempts: %d in a row did not become ready; the last: %w", k.dialer.attempts, err))
	return true
}

// wait is how long to wait before the next dial.
func (k *link) wait() time.Duration {
	asked := k.stayOff
	k.stayOff = 0
	switch {
	case k.via != nil:
		return 0
	case asked > 0:
		return min(max(asked, k.l.cfg.ReconnectMin), k.l.cfg.ReconnectMax)
	}
	return k.backoff.NextBackOff()
}
