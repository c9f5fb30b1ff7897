package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
)

// loginRefused counts and logs a login that the server refused with its close.
func (c *conn) loginRefused(e wire.Event, now time.Duration) {
	c.loginFailed(e.Code == wire.CloseBadToken, whyRefused(e), now)
}

// whyRefused returns why the server closed during the login.
func whyRefused(e wire.Event) string {
	switch {
	case e.Fault != nil:
		return e.Fault.Detail
	case e.Code == wire.CloseBadToken:
		return "the server refused the token; see --token-file"
	}
	return fmt.Sprintf("the server closed with code %d", e.Code)
}

// loginFailed counts and logs a failed login. It ends the gateway if a retry would not help (final)
// and no login ever succeeded.
func (c *conn) loginFailed(final bool, why string, now time.Duration) {
	c.l.stats.addError(wire.Login)
	c.life.fault = fmt.Errorf("%s: %s", c.addr, why)
	if final && !c.l.session.everLoggedIn {
		c.l.fail(kindError{err: c.life.fault, kind: ErrLogin})
		return
	}
	c.log.add(now, slog.LevelError, "login refused", "", "addr", c.addr, "error", why)
}

// redirectedOrRefused handles redirects and refused logins. It returns false if err is neither.
func (c *conn) redirectedOrRefused(err error, now time.Duration) bool {
	var fault *wire.Error
	if !errors.As(err, &fault) {
		return false
	}
	c.retryAfter = retryAfter(fault, time.Now())
	why := fault.Detail
	switch {
	case fault.Redirect != nil && c.redirect == nil:
		c.nextRedirect = &redirect{*fault.Redirect, c.target}
		c.log.add(now, slog.LevelInfo, "redirected", "", "addr", c.addr, "to", c.nextRedirect.HostPort, "tls", c.nextRedirect.Secure)
		c.on(evRefused, details{now: now, code: wire.CloseOK})
		return true
	case fault.Redirect != nil:
		why += ", " + errSecondRedirect.Error()
	case !fault.Refused && fault.Code != wire.CloseBadToken:
		return false
	}
	c.loginFailed(fault.Code == wire.CloseBadToken, why, now)
	c.on(evRefused, details{now: now, code: fault.Code})
	return true
}

// handleReady checks what the server offers.
func (c *conn) handleReady(e wire.Event, now time.Duration) {
	if why := c.l.set.unsupportedAcks(e); why != "" {
		c.life.end(now)
		c.loginFailed(true, why, now)
		c.l.receiver.abandon()
		c.on(evRefused, details{now: now, code: wire.CloseBadRequest})
		return
	}
	if e.First > delivery.MaxSeq {
		c.protocolError(wire.Errorf(wire.SeqBack, wire.CloseProtocolError,
			"first message %d exceeds the maximum number %d", e.First, uint64(delivery.MaxSeq)), now)
		return
	}
	c.on(evReady, details{now: now, ready: &e})
}

// becomeReady begins or resumes the session.
func (c *conn) becomeReady(x details) {
	e, now := *x.ready, x.now
	// The protocol asked for that tick during the login.
	c.tickAt = 0
	c.l.stats.Connected.Store(true)
	c.l.status.failure = ""
	c.l.stats.Logins.Add(1)
	c.life.begin(now)
	c.dialer.attempts = 0
	c.logReady(e, now)
	c.l.session.begin(c.l, e, now)
}

// logReady logs that the connection is ready.
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
	c.log.add(now, slog.LevelInfo, msg, "", args...)
}

// unsupportedAcks returns why our ack mode does not suit the server; "": it does.
func (s *settings) unsupportedAcks(e wire.Event) string {
	missing := ""
	switch s.ack {
	case wire.AckEach, wire.AckOrdered:
		if !e.Each {
			missing = "each"
		}
	case wire.AckRange:
		if !e.Cumulative {
			missing = "range"
		}
	}
	if missing == "" {
		return ""
	}
	return fmt.Sprintf("the server does not accept %q acks; see --ack", missing)
}
