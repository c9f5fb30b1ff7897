package gateway

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"feedgate/gateway/wire"
)

// dialResult is the outcome of a dial.
type dialResult struct {
	sock transport
	host string // as in the URL
	addr string
	at   target    // the address that success or failure is recorded for
	conn wire.Conn // nil unless the login has begun
	err  error
}

func (k *link) startDial() {
	k.phase = dialing
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	k.dialer.resume = k.l.resume("")
	k.dialer.via, k.via = k.via, nil
	k.l.world.connect(ctx, &k.dialer)
}

// dialEnded handles the outcome of the dial.
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
		k.l.stop.leaving = k.l.stop.leaving || k.noOther()
		if k.l.stop.leaving && !k.awaiting() || k.giveUp(r.err) {
			return
		}
		k.repeats.add(now, slog.LevelError, "cannot connect; will try again", "",
			"error", r.err, "retry_in", k.redial-now)
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
	k.peer = peer{readable: r.sock.more(), writable: true}
	k.heard, k.wrote, k.tick = now, now, 0
	k.loginBy, k.graceEnds = now+k.l.cfg.ConnectTimeout, 0
	k.owed, k.stopping, k.rest = 0, false, 0
	k.at, k.host, k.hop = r.at, r.host, k.dialer.via
	k.life, k.peerClosed, k.sendOpen, k.notify = lifetime{}, false, false, false
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
		k.l.out.Write(k.conn.Open(k.l.out.AvailableBuffer(), k.resume(r.host)))
	}
	k.l.in.more = true // Decode is called once with nothing
}

// resume is what the login on this connection resumes.
func (k *link) resume(host string) wire.Resume {
	r := k.l.resume(host)
	if k.hop != nil {
		r.Target = k.hop.target
	}
	return r
}

// secure reports whether the connection uses TLS.
func (k *link) secure() bool {
	if k.hop != nil {
		return k.hop.tls
	}
	return k.l.set.upstream.tls
}
