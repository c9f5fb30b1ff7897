package gateway

import (
	"context"
	"errors"
	"time"

	"feedgate/gateway/wire"
)

// dialResult is what came of dialing.
type dialResult struct {
	sock transport
	host string // as in the URL
	addr string
	conn wire.Conn // its login has begun; nil: it has not
	err  error
}

func (k *link) startDial() {
	k.phase = dialing
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	k.dialer.resume = k.l.resume("")
	k.l.world.connect(ctx, &k.dialer)
}

// dialEnded takes what came of the dial that is under way.
func (k *link) dialEnded(r dialResult) {
	k.cancel()
	k.cancel = nil
	now := k.l.world.now()
	if r.err != nil {
		k.countTLS(r.err)
		if fault := new(wire.Error); errors.As(r.err, &fault) {
			k.l.stats.addError(fault.Reason)
		}
		k.phase = offline
		k.redial = now + k.backoff.NextBackOff()
		if !k.l.stop.leaving || k.awaiting() {
			k.l.log.Error("cannot connect; will try again", "error", r.err,
				"retry_in", k.redial-now)
		}
		return
	}
	k.connected(r, now)
}

// countTLS counts a fault of TLS, if err is one.
func (k *link) countTLS(err error) {
	var fault tlsError
	if errors.As(err, &fault) {
		k.l.stats.addError(wire.TLS)
	}
}

func (k *link) connected(r dialResult, now time.Duration) {
	k.sock, k.addr = r.sock, r.addr
	k.phase = login
	k.readable, k.writable, k.hup, k.dead, k.cut = r.sock.more(), true, false, false, false
	k.heard, k.wrote, k.tick = now, now, 0
	k.deadline = now + k.l.cfg.ConnectTimeout
	k.acked, k.owed, k.stopping, k.rest = false, 0, false, 0
	begun := r.conn != nil
	if k.conn = r.conn; !begun {
		k.conn = k.l.set.proto.NewConn()
	}
	if err := k.l.world.watch(r.sock); err != nil {
		k.lost(now, "watch the socket", err)
		return
	}
	k.l.log.Debug("connected", "addr", r.addr)
	if !begun {
		k.l.out.buf = k.conn.Open(k.l.out.buf, k.l.resume(r.host))
		k.l.out.appended(0, 0)
	}
	k.l.in.more = true // Decode is called once with nothing
}
