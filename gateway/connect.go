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
	sock   transport
	host   string // as in the URL
	addr   string
	target target    // the address whose success or failure this is
	conn   wire.Conn // nil unless the login has begun
	err    error
}

// startDial starts the goroutine that dials.
func (c *conn) startDial(details) {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.dialer.resume = c.l.resume("")
	c.dialer.redirect, c.nextRedirect = c.nextRedirect, nil
	c.l.env.connect(ctx, &c.dialer)
}

// dialEnded handles the outcome of the dial.
func (c *conn) dialEnded(r dialResult) {
	c.cancel()
	c.cancel = nil
	if now := c.l.env.now(); r.err != nil {
		c.on(evDialFailed, details{now: now, err: r.err})
	} else {
		c.connected(r, now)
	}
}

// dialFailed sets the time of the next dial.
func (c *conn) dialFailed(x details) {
	c.countTLS(x.err)
	if fault := new(wire.Error); errors.As(x.err, &fault) {
		c.l.stats.addError(fault.Reason)
	}
	c.l.status.disconnected(c.l, x.err)
	c.redialAt = x.now + c.backoff.NextBackOff()
	c.l.stop.ending = c.l.stop.ending || c.closeWasClean()
	if c.l.stop.ending && !c.needsResume() || c.giveUp(x.err) {
		return
	}
	c.log.add(x.now, slog.LevelError, "cannot connect; will try again", "",
		"error", x.err, "retry_in", c.redialAt-x.now)
}

// cancelDial cancels the dial, which then ends at once.
func (c *conn) cancelDial(details) { c.cancel() }

// countTLS counts err if it is a fault of TLS.
func (c *conn) countTLS(err error) {
	var fault tlsError
	if errors.As(err, &fault) {
		c.l.stats.addError(wire.TLS)
	}
}

// connected takes over the connection and begins the login, unless the dial has begun it.
func (c *conn) connected(r dialResult, now time.Duration) {
	c.on(evDialed, details{now: now, dial: &r})
	if err := c.l.env.watch(r.sock); err != nil {
		c.lost(now, "watch the socket", err)
		return
	}
	c.l.log.Debug("connected", "addr", r.addr)
	if r.conn == nil {
		c.l.out.Write(c.proto.AppendHello(c.l.out.AvailableBuffer(), c.resume(r.host)))
	}
	c.l.receiver.decodeMore = true // Decode is called once without input
}

// beginLogin takes the socket and resets everything that belongs to one connection.
func (c *conn) beginLogin(x details) {
	r := x.dial
	c.sock, c.addr, c.proto = r.sock, r.addr, r.conn
	c.target, c.redirect = r.target, c.dialer.redirect
	c.peer = peer{readable: r.sock.buffered(), writable: true}
	c.idleSince, c.lastAccepted, c.tickAt, c.loginDeadline = x.now, x.now, 0, x.now+c.l.cfg.ConnectTimeout
	c.end, c.life, c.unacked = termination{}, lifetime{}, 0
	c.path = newPathWatch(c.l.cfg.IdleTimeout)
	if c.proto == nil {
		c.proto = c.l.set.codec.NewConn()
	}
}

// resume returns the session that the login on this connection resumes.
func (c *conn) resume(host string) wire.Hello {
	r := c.l.resume(host)
	if c.redirect != nil {
		r.Target = c.redirect.Target
	}
	return r
}

// secure reports whether the connection uses TLS.
func (c *conn) secure() bool {
	if c.redirect != nil {
		return c.redirect.Secure
	}
	return c.l.cfg.Secure
}
