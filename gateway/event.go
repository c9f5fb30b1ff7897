package gateway

import (
	"log/slog"
	"time"

	"feedgate/gateway/wire"
)

// handleEvent handles an event that the protocol has decoded.
func (c *conn) handleEvent(e wire.Event, now time.Duration) {
	switch e.Kind {
	case wire.EventReady:
		c.handleReady(e, now)
	case wire.EventStartTLS:
		c.protocolError(wire.Errorf(wire.TLS, wire.CloseProtocolError, "unexpected TLS handshake"), now)
	case wire.EventFault:
		c.handleFault(e.Fault, now)
	case wire.EventClose:
		c.handleClose(e, now)
	}
}

// handleClose handles the protocol's close: the server will send no more.
func (c *conn) handleClose(e wire.Event, now time.Duration) {
	if c.state == login {
		c.loginRefused(e, now)
	} else {
		args := []any{"addr", c.addr}
		if e.Code != 0 || c.l.set.codec.Sequenced { // other protocols may close without a code
			args = append(args, "code", e.Code)
		}
		c.log.add(now, slog.LevelInfo, "server sent its close", "", args...)
		if e.Fault != nil {
			_ = c.countFault(e.Fault, now)
		}
	}
	c.on(evPeerClose, details{now: now, clean: e.Clean})
}

// handleFault counts and logs a non-fatal fault of the peer, or a non-fatal error that it reported.
func (c *conn) handleFault(fault *wire.Error, now time.Duration) {
	c.l.stats.addError(fault.Reason)
	c.log.add(now, slog.LevelWarn, "error; the connection continues", fault.Reason, "addr", c.addr, "error", fault.Detail)
}
