package feedserver

import (
	"crypto/subtle"
	"io"

	"feedgate/gateway/wire/fg1"
)

// receive handles received bytes.
func (c *conn) receive(b []byte) {
	c.lastRead = c.l.now
	if c.discarding || c.silent {
		return
	}
	full := len(b) == readBytes
	var end error // of the TLS stream
	if c.sec != nil {
		b, end = c.sec.decrypt(b)
	}
	err := c.codec.read(b, c)
	if c.ses != nil {
		c.ses.endRead(c.l.now)
	}
	if err != nil {
		c.fail(err)
	}
	if end != nil && end != io.EOF {
		c.failTLS(end)
	}
	if len(c.replies) > maxReplies || c.sec != nil && c.sec.wire.buffered() > maxSealed {
		c.l.log.Warn("client does not read its replies; closing the connection", "client", c.name())
		c.kill()
	}
	// A full buffer means that more is waiting. Acks are read before messages are sent, so that sending
	// does not add to their latency.
	if full && end == nil {
		c.l.yield(c)
		return
	}
	c.pump()
	if end == io.EOF {
		c.replyCloseNotify()
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
		l.log.Info("client reconnected before its old connection ended", "client", h.client, "session", s.id)
		old := s.conn
		l.suspend(old)
		old.kill()
	}
	if h.session == s.id && !l.cfg.IgnoreHelloSeq && !s.applyHello(h.seq) {
		return faultf(fg1.CodeBadRequest, "HELLO with seq %d, which was never sent", h.seq)
	}
	s.client = h.client
	c.begin(s)
	return nil
}

// begin begins or resumes a session.
func (c *conn) begin(s *session) {
	l := c.l
	l.resume(s)
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
	l.log.Info("session started", "client", c.name(), "session", s.id, "connection", s.connections, "from", c.next)
}

// acks implements receiver. Acks without a session are ignored.
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

// reply implements receiver. No reply follows an end frame.
func (c *conn) reply(frame func(dst []byte) []byte) {
	if c.state != stateClosing {
		c.replies = frame(c.replies)
	}
}

// bye implements receiver.
func (c *conn) bye(code uint16) {
	c.l.log.Info("client ends the session", "client", c.name(), "code", code)
	c.peerEnded = true
}
