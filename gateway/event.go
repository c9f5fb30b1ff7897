package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
)

// event takes what the protocol has decoded about the connection.
func (k *conn) event(e wire.Event, now time.Duration) {
	switch e.Kind {
	case wire.EventReady:
		k.loggedIn(e, now)
	case wire.EventSecure:
		k.protocolError(wire.Errorf(wire.TLS, wire.CloseProtocolError, "a TLS handshake where none is due"), now)
	case wire.EventFault:
		k.fault(e.Fault, now)
	case wire.EventClose:
		k.serverCloses(e, now)
	}
}

// serverCloses handles the protocol's close: the server will send no more.
func (k *conn) serverCloses(e wire.Event, now time.Duration) {
	if k.state == login {
		k.refused(e, now)
	} else {
		args := []any{"addr", k.addr}
		if e.Code != 0 || k.l.set.traits.Sequenced { // others may close without a code
			args = append(args, "code", e.Code)
		}
		k.repeats.add(now, slog.LevelInfo, "server closes", "", args...)
		if e.Fault != nil {
			_ = k.count(e.Fault, now)
		}
	}
	k.on(evPeerClose, about{now: now, clean: e.Clean})
}

// refused counts and logs a login that the server refuses.
func (k *conn) refused(e wire.Event, now time.Duration) {
	why := fmt.Sprintf("the server closes with code %d", e.Code)
	switch {
	case e.Fault != nil:
		why = e.Fault.Detail
	case e.Code == wire.CloseBadToken:
		why = "the server refused the token; see --token-file"
	}
	k.refuse(e.Code == wire.CloseBadToken, why, now)
}

// refuse counts and logs a failed login. If a retry would not help (final) and no login ever
// succeeded, it ends the gateway.
func (k *conn) refuse(final bool, why string, now time.Duration) {
	k.l.stats.addError(wire.Login)
	k.life.fault = fmt.Errorf("%s: %s", k.addr, why)
	if final && !k.l.session.reached {
		k.l.fail(k.life.fault)
		return
	}
	k.repeats.add(now, slog.LevelError, "login refused", "", "addr", k.addr, "error", why)
}

// turnedAway handles login faults that ask for more than a retry: a redirect, a refused
// token. False: err is neither.
func (k *conn) turnedAway(err error, now time.Duration) bool {
	var fault *wire.Error
	if !errors.As(err, &fault) {
		return false
	}
	k.stayOff = retryAfter(fault, time.Now())
	why := fault.Detail
	if fault.Location != "" {
		to, err := k.l.set.upstream.redirected(k.host, fault.Location)
		switch {
		case k.hop != nil:
			err = errSecondRedirect
		case err == nil:
			to.from, k.via = k.at, to
			k.repeats.add(now, slog.LevelInfo, "redirected", "", "addr", k.addr, "to", to.hostport, "tls", to.tls)
			k.on(evRefused, about{now: now, code: wire.CloseOK})
			return true
		}
		why += ", " + err.Error()
	}
	if fault.Location == "" && fault.Code != wire.CloseBadToken {
		return false
	}
	k.refuse(fault.Code == wire.CloseBadToken, why, now)
	k.on(evRefused, about{now: now, code: fault.Code})
	return true
}

// loggedIn checks what the server offers.
func (k *conn) loggedIn(e wire.Event, now time.Duration) {
	if offered := k.offered(e); offered != "" {
		k.life.end(now)
		k.refuse(true, fmt.Sprintf("the server does not take %q acks; see --ack", offered), now)
		k.l.in.reset()
		k.on(evRefused, about{now: now, code: wire.CloseBadRequest})
		return
	}
	if e.First > delivery.MaxSeq {
		k.protocolError(wire.Errorf(wire.SeqBack, wire.CloseProtocolError,
			"WELCOME seq %d: numbers end at %d", e.First, uint64(delivery.MaxSeq)), now)
		return
	}
	k.on(evReady, about{now: now, ready: &e})
}

// ready begins or resumes the session.
func (k *conn) ready(x about) {
	e, now := *x.ready, x.now
	// The tick that the protocol asked for was for the login.
	k.tick = 0
	k.l.stats.Connected.Store(true)
	k.l.stats.Logins.Add(1)
	k.life.begin(now)
	k.dialer.attempts = 0
	k.logReady(e, now)
	k.l.session.begin(k.l, e, now)
}

// logReady logs a connection that is ready, with what its protocol reports about it.
func (k *conn) logReady(e wire.Event, now time.Duration) {
	msg, args := "connected and logged in", []any{"addr", k.addr}
	if k.l.set.upstream.onlyFramed() {
		msg = "connected"
	}
	if e.Session != "" {
		args = append(args, "session", e.Session)
	}
	if k.l.set.traits.Sequenced {
		args = append(args, "first", e.First)
	}
	k.repeats.add(now, slog.LevelInfo, msg, "", args...)
}

// offered names the ack mode that the server did not offer, if it is ours.
func (k *conn) offered(e wire.Event) string {
	switch k.l.set.ack {
	case delivery.Each, delivery.Ordered:
		if !e.Each {
			return "each"
		}
	case delivery.Cumulative:
		if !e.Cumulative {
			return "range"
		}
	}
	return ""
}

// fault counts and logs a fault or a complaint of the peer that does not end the
// connection.
func (k *conn) fault(fault *wire.Error, now time.Duration) {
	k.l.stats.addError(fault.Reason)
	k.repeats.add(now, slog.LevelWarn, "fault; going on", fault.Reason, "addr", k.addr, "error", fault.Detail)
}
