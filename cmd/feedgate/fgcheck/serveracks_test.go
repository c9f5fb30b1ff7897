package fgcheck

import (
	"time"

	"feedgate/gateway/wire/fg1"
)

func (c *serverConn) pong(seq uint64) {
	switch {
	case c.noPong, c.bye:
		return
	case c.pongLate:
		<-time.After(c.late)
	case c.pongZero:
		seq = 0
	}
	c.send(fg1.Pong, 0, 0, seq, "")
}

func (c *serverConn) ack(seq uint64, code uint16) {
	switch {
	case seq > c.ses.sent && (c.keepsAcks || c.skipsAcked):
		c.ses.done[seq] = true
	case code == 0 && c.ignoreAck, code != 0 && c.refusedAgain, seq > c.ses.sent && !c.trustAcks:
	case seq > c.ses.sent:
		c.ses.base = seq + 1
	case c.cumulative:
		c.ses.base = max(c.ses.base, seq+1)
	case seq >= c.ses.base:
		c.ses.done[seq] = true
	}
	c.advance()
}

func (c *serverConn) ackTo(seq uint64) {
	if !c.ignoreAckTo && (seq <= c.ses.sent || c.trustAcks) {
		c.ses.base = max(c.ses.base, seq+1)
	}
	c.advance()
}

func (c *serverConn) advance() {
	for c.ses.done[c.ses.base] {
		delete(c.ses.done, c.ses.base)
		c.ses.base++
	}
}
