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

// startDial starts the goroutine that dials.
func (k *conn) startDial(about) {
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	k.dialer.resume = k.l.resume("")
	k.dialer.via, k.via = k.via, nil
	k.l.world.connect(ctx, &k.dialer)
}

// dialEnded handles the outcome of the dial.
func (k *conn) dialEnded(r dialResult) {
	k.cancel()
	k.cancel = nil
	if now := k.l.world.now(); r.err != nil {
		k.on(evDialFailed, about{now: now, err: r.err})
	} else {
		k.connected(r, now)
	}
}

// dialFailed sets the time of the next dial.
func (k *conn) dialFailed(x about) {
	k.countTLS(x.err)
	if fault := new(wire.Error); errors.As(x.err, &fault) {
		k.l.stats.addError(fault.Reason)
	}
	k.redial = x.now + k.backoff.NextBackOff()
	k.l.stop.leaving = k.l.stop.leaving || k.noOther()
	if k.l.stop.leaving && !k.needsResume() || k.giveUp(x.err) {
		return
	}
	k.repeats.add(x.now, slog.LevelError, "cannot connect; will try again", "",
		"error", x.err, "retry_in", k.redial-x.now)
}

// cancelDial cancels the dial, which then ends at once.
func (k *conn) cancelDial(about) { k.cancel() }

// countTLS counts a fault of TLS, if err is one.
func (k *conn) countTLS(err error) {
	var fault tlsError
	if errors.As(err, &fault) {
		k.l.stats.addError(wire.TLS)
	}
}

// connected begins the login, unless the dial has.
func (k *conn) connected(r dialResult, now time.Duration) {
	k.on(evDialed, about{now: now, dial: &r})
	if err := k.l.world.watch(r.sock); err != nil {
		k.lost(now, "watch the socket", err)
		return
	}
	k.l.log.Debug("connected", "addr", r.addr)
	if r.conn == nil {
		k.l.out.Write(k.conn.Open(k.l.out.AvailableBuffer(), k.resume(r.host)))
	}
	k.l.in.more = true // Decode is called once with nothing
}

// begin takes the socket: everything that is of one connection starts over.
func (k *conn) begin(x about) {
	r := x.dial
	k.sock, k.addr, k.conn = r.sock, r.addr, r.conn
	k.at, k.host, k.hop = r.at, r.host, k.dialer.via
	k.peer = peer{readable: r.sock.more(), writable: true}
	k.heard, k.wrote, k.tick, k.loginBy = x.now, x.now, 0, x.now+k.l.cfg.ConnectTimeout
	k.end, k.life, k.owed = termination{}, lifetime{}, 0
	if k.conn == nil {
		k.conn = k.l.set.proto.NewConn()
	}
}

// resume is what the login on this connection resumes.
func (k *conn) resume(host string) wire.Resume {
	r := k.l.resume(host)
	if k.hop != nil {
		r.Target = k.hop.target
	}
	return r
}

// secure reports whether the connection uses TLS.
func (k *conn) secure() bool {
	if k.hop != nil {
		return k.hop.tls
	}
	return k.l.set.upstream.tls
}
