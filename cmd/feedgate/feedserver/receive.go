package feedserver

import (
	"crypto/subtle"
	"io"

	"feedgate/gateway/wire/fg1"
)

// receive takes bytes that have arrived.
func (c *conn) receive(b []byte) {
	c.lastRead = c.l.now
	if c.deaf || c.silent {
		return
	}
	full := len(b) == readBytes
	var end error // of what TLS has for us
	if c.sec != nil {
		b, end = c.sec.open(b)
	}
	err := c.codec.read(b, c)
	if c.ses != nil {
		c.ses.settle(c.l.now)
	}
	if err != nil {
		c.fail(err)
	}
	if end != nil && end != io.EOF {
		c.insecure(end)
	}
	if len(c.replies) > maxReplies || c.sec != nil && c.sec.wire.owed() > maxSealed {
		c.l.log.Warn("client does not read what it asks for, dropping", "client", c.name())
		c.kill()
	}
	// A full buffer means that more is waiting, and acks go before messages: they
	// would be found older with every message sent.
	if full && end == nil {
		c.l.later(c)
		return
	}
	c.pump()
	if end == io.EOF {
		c.hangUp()
	}
}

// login implements receiver.
func (c *conn) login(h hello) error {
	l := c.l
	if l.draining.Load() {
		return faultf(fg1.CodeShuttingDown, "login while shutting down")
	}
	if l.cfg.Token != nil && subtle.ConstantTimeCompare([]byte(h.token), l.cfg.Token) == 0 {
		return faultf(fg1.CodeBadToken, "login with a wrong token")
	}
	if !l.traits.named {
		l.admit(c)
		return nil
	}
	s := l.byID[h.session]
	if s == nil {
		s = l.newSession()
	} else if s.conn != nil {
		l.log.Info("client is back before its connection was lost", "client", h.client, "session", s.id)
		old := s.conn
		l.lose(old)
		old.kill()
	}
	if h.session == s.id && !l.cfg.IgnoreHelloSeq && !s.recall(h.seq) {
		return faultf(fg1.CodeBadRequest, "HELLO says that %d was acknowledged, which was never sent", h.seq)
	}
	s.client = h.client
	c.begin(s)
	return nil
}

// begin starts or goes on with a session.
func (c *conn) begin(s *session) {
	l := c.l
	l.found(s)
	c.ses, c.state = s, stateRunning
	c.next = s.attach(c, l.now)
	c.resetAt = -1
	c.codec.start(c.next)
	c.replies = c.codec.appendWelcome(c.replies, welcome{session: s.id, first: c.next})
	c.nextPing = l.now + l.cfg.Heartbeat
	if l.traits.pings {
		l.wakeAt(c.nextPing)
	}
	l.wakeAt(l.now + l.cfg.IdleTimeout)
	l.wakeAt(s.ends)
	l.log.Info("session begins", "client", c.name(), "session", s.id, "connection", s.connections, "from", c.next)
}

// acks implements receiver. A client that has no session yet has nothing to
// acknowledge.
func (c *conn) acks(seq, n uint64, code uint16) {
	if c.ses != nil {
		c.ses.ack(seq, n, code, c.l.now)
	}
}

// acksTo implements receiver.
func (c *conn) acksTo(seq uint64) {
	if c.ses != nil {
		c.ses.ackTo(seq, c.l.now)
	}
}

// reply implements receiver. Nothing follows a goodbye.
func (c *conn) reply(frame func(dst []byte) []byte) {
	if c.state != stateClosing {
		c.replies = frame(c.replies)
	}
}

// bye implements receiver.
func (c *conn) bye(code uint16) {
	c.l.log.Info("client says goodbye", "client", c.name(), "code", code)
	c.peerDone = true
}
