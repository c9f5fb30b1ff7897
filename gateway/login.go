package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
)

// loginRefused counts and logs a login that the server refuses by its close.
func (c *conn) loginRefused(e wire.Event, now time.Duration) {
	why := fmt.Sprintf("the server closes with code %d", e.Code)
	switch {
	case e.Fault != nil:
		why = e.Fault.Detail
	case e.Code == wire.CloseBadToken:
		why = "the server refused the token; see --token-file"
	}
	c.loginFailed(e.Code == wire.CloseBadToken, why, now)
}

// loginFailed counts and logs a failed login. If a retry would not help (final) and no login ever
// succeeded, it ends the gateway.
func (c *conn) loginFailed(final bool, why string, now time.Duration) {
	c.l.stats.addError(wire.Login)
	c.life.fault = fmt.Errorf("%s: %s", c.addr, why)
	if final && !c.l.session.reached {
		c.l.fail(loginError{c.life.fault})
		return
	}
	c.repeats.add(now, slog.LevelError, "login refused", "", "addr", c.addr, "error", why)
}

// turnedAway handles login faults that ask for more than a retry: a redirect, a refused
// token. False: err is neither.
func (c *conn) turnedAway(err error, now time.Duration) bool {
	var fault *wire.Error
	if !errors.As(err, &fault) {
		return false
	}
	c.stayOff = retryAfter(fault, time.Now())
	why := fault.Detail
	switch {
	case fault.Redirect != nil && c.hop == nil:
		c.via = &redirect{*fault.Redirect, c.at}
		c.repeats.add(now, slog.LevelInfo, "redirected", "", "addr", c.addr, "to", c.via.HostPort, "tls", c.via.Secure)
		c.on(evRefused, about{now: now, code: wire.CloseOK})
		return true
	case fault.Redirect != nil:
		why += ", " + errSecondRedirect.Error()
	case !fault.Refused && fault.Code != wire.CloseBadToken:
		return false
	}
	c.loginFailed(fault.Code == wire.CloseBadToken, why, now)
	c.on(evRefused, about{now: now, code: fault.Code})
	return true
}

// loggedIn checks what the server offers.
func (c *conn) loggedIn(e wire.Event, now time.Duration) {
	if offered := c.offered(e); offered != "" {
		c.life.end(now)
		c.loginFailed(true, fmt.Sprintf("the server does not take %q acks; see --ack", offered), now)
		c.l.in.abandon()
		c.on(evRefused, about{now: now, code: wire.CloseBadRequest})
		return
	}
	if e.First > delivery.MaxSeq {
		c.protocolError(wire.Errorf(wire.SeqBack, wire.CloseProtocolError,
			"first message %d: numbers end at %d", e.First, uint64(delivery.MaxSeq)), now)
		return
	}
	c.on(evReady, about{now: now, ready: &e})
}

// ready begins or resumes the session.
func (c *conn) ready(x about) {
	e, now := *x.ready, x.now
	// The tick that the protocol asked for was for the login.
	c.tick = 0
	c.l.stats.Connected.Store(true)
	c.l.stats.Logins.Add(1)
	c.life.begin(now)
	c.dialer.attempts = 0
	c.logReady(e, now)
	c.l.session.begin(c.l, e, now)
}

// logReady logs a connection that is ready, with what its protocol reports about it.
func (c *conn) logReady(e wire.Event, now time.Duration) {
	msg, args := "connected and logged in", []any{"addr", c.addr}
	if !c.l.set.codec.Login {
		msg = "connected"
	}
	if e.Session != "" {
		args = append(args, "session", e.Session)
	}
	if c.l.set.codec.Sequenced {
		args = append(args, "first", e.First)
	}
	c.repeats.add(now, slog.LevelInfo, msg, "", args...)
}

// offered names the ack mode that the server did not offer, if it is ours.
func (c *conn) offered(e wire.Event) string {
	switch c.l.set.ack {
	case wire.AckEach, wire.AckOrdered:
		if !e.Each {
			return "each"
		}
	case wire.AckRange:
		if !e.Cumulative {
			return "range"
		}
	}
	return ""
}

// loginError is why a login was refused for good.
type loginError struct{ error }

func (e loginError) Unwrap() error        { return e.error }
func (e loginError) Is(target error) bool { return target == ErrLogin }
