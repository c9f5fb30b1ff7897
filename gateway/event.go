package gateway

import (
	"fmt"
	"time"

	"feedgate/gateway/wire"
)

// event takes what the protocol has decoded about the connection.
func (k *link) event(e wire.Event, now time.Duration) {
	switch e.Kind {
	case wire.EventReady:
		k.ready(e, now)
	case wire.EventSecure:
		k.protocolError(wire.Errorf(wire.TLS, wire.CloseProtocolError, "a TLS handshake where none is due"), now)
	case wire.EventFault:
		k.fault(e.Fault, now)
	case wire.EventClose:
		k.serverCloses(e, now)
	}
}

// serverCloses takes the server's word that it sends no more.
func (k *link) serverCloses(e wire.Event, now time.Duration) {
	refused := k.phase == login
	if refused {
		k.refused(e)
	} else {
		k.l.log.Info("server closes", "addr", k.addr, "code", e.Code)
		if e.Fault != nil {
			_ = k.count(e.Fault)
		}
	}
	k.peerCloses(e.Clean, now)
	switch {
	case refused:
		k.deadline = now // nothing came on this connection that could be waited for
	case k.stopping:
		k.rest = now + stopRest
	}
}

// refused counts and logs a login that the server does not take. A secret that no server
// ever took ends the gateway.
func (k *link) refused(e wire.Event) {
	k.l.stats.addError(wire.Login)
	k.dialer.failover()
	why := fmt.Sprintf("the server closes with code %d", e.Code)
	switch {
	case e.Fault != nil:
		why = e.Fault.Detail
	case e.Code == wire.CloseBadToken:
		why = "the server refused the token; see --token-file"
	}
	if e.Code == wire.CloseBadToken && !k.l.session.reached {
		k.l.fail(fmt.Errorf("%s: %s", k.addr, why))
		return
	}
	k.l.log.Error("login refused", "addr", k.addr, "error", why)
}

func (k *link) ready(e wire.Event, now time.Duration) {
	if offered := k.offered(e); offered != "" {
		k.l.fail(fmt.Errorf("%s: the server does not take %q acks; see --ack", k.addr, offered))
		k.l.in.reset()
		k.finish(wire.CloseBadRequest)
		return
	}
	if e.First > maxSeq {
		k.protocolError(wire.Errorf(wire.SeqBack, wire.CloseProtocolError,
			"WELCOME seq %d: numbers end at %d", e.First, uint64(maxSeq)), now)
		return
	}
	// What the protocol said of its next tick, it said of the login.
	k.phase, k.deadline, k.tick = open, 0, 0
	k.l.stats.Connected.Store(true)
	k.l.stats.Logins.Add(1)
	k.l.log.Info("connected and logged in", "addr", k.addr, "session", e.Session, "first", e.First)
	k.l.session.begin(k.l, e, now)
}

// offered names the ack mode that the server did not offer, if it is ours.
func (k *link) offered(e wire.Event) string {
	switch k.l.set.ack {
	case ackEach, ackOrdered:
		if !e.Each {
			return "each"
		}
	case ackRange:
		if !e.Cumulative {
			return "range"
		}
	}
	return ""
}

// peerCloses begins our end of the close: no more will come.
func (k *link) peerCloses(clean bool, now time.Duration) {
	if clean && k.l.cfg.ExitOnClose {
		k.l.stop.leaving = true
	}
	k.finish(wire.CloseOK)
	k.deadline = 0
	if grace := k.l.set.traits.CloseGrace; grace > 0 {
		k.deadline = now + grace
	}
}

// fault counts a fault of the peer, or a complaint of its, that ends nothing. They may
// come by thousands, so not more than one a second is logged.
func (k *link) fault(fault *wire.Error, now time.Duration) {
	k.l.stats.addError(fault.Reason)
	if now >= k.faultAt {
		k.faultAt = now + time.Second
		k.l.log.Warn("fault; going on", "addr", k.addr, "reason", fault.Reason, "error", fault.Detail)
	}
}
