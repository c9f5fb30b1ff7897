package fgcheck

import (
	"time"

	"feedgate/gateway/wire/fg1"
)

// leave ends the connection with BYE, as a gateway does that shuts down.
func (c *conn) leave() { c.end(fg1.CodeShuttingDown) }

// farewell answers the server's BYE.
func (c *conn) farewell() { c.end(fg1.CodeOK) }

// end sends BYE, and waits until the server closes.
func (c *conn) end(code uint16) {
	defer c.close()
	c.limit(c.k.cfg.Timeout)
	c.send(fg1.Bye, code, 0, nil)
	c.closeWrite()
	if c.k.report.isBroken(byeClose) {
		return
	}
	switch c.toEnd() {
	case errEnded:
		c.k.report.keep(byeClose)
		if c.ended {
			c.k.report.keep(byeLast)
		}
	case errQuiet:
		c.k.report.broke(byeClose, "the connection was open %v after BYE", c.k.cfg.Timeout)
	}
}

// toEnd reads until no event comes any more, and returns why.
func (c *conn) toEnd() error {
	for {
		if _, err := c.event(); err != nil {
			return err
		}
	}
}

// lost records how the server ended a session of its own accord: with BYE, or else because of err.
func (c *conn) lost(err error) {
	r := c.k.report
	switch {
	case c.ended && cleanEnd(c.byeCode):
		r.keep(bye)
	case c.ended:
		r.broke(bye, "BYE code %d", c.byeCode)
	case err == errEnded:
		r.broke(bye, "the connection ended without BYE")
	}
	if c.ended {
		c.farewell()
	}
	c.close()
}

// cleanEnd reports whether a BYE with this code is no fault.
func cleanEnd(code uint16) bool { return code == fg1.CodeOK || code == fg1.CodeShuttingDown }

// settleWait is how long the end of the connection is awaited where PONG cannot be.
const settleWait = time.Second

// settle waits until the server has read everything that was sent, and cuts the connection. The
// server may send BYE instead; its code is then judged only if the client has done nothing wrong.
func (c *conn) settle(judge bool) error {
	unanswered := false
	if !c.k.report.isBroken(ping) {
		err := c.pingPong()
		switch {
		case c.ended && !judge:
			c.farewell()
			return nil
		case c.ended || err != nil && err != errQuiet && judge:
			c.lost(err)
			return nil
		case err == nil:
			c.cut()
			return nil
		case err == errQuiet:
			unanswered = true
		}
	}
	// The end of the stream follows what was sent. A reset would destroy it.
	c.closeWrite()
	c.limit(settleWait)
	_ = c.toEnd()
	c.close()
	if unanswered {
		return c.noPong()
	}
	return nil
}

// noPong judges that no PONG came: once the server has sent some, what was tested last prevents it.
func (c *conn) noPong() error {
	name := ping
	if c.k.report.found[ping].verdict == kept {
		name = c.k.doing
	}
	return c.k.noAnswer(name, "no PONG within %v of PING", c.k.cfg.Timeout)
}

// pongLimit is how long a PONG may take while nothing else arrives. It is generous: the server may store
// acks first, and be far away.
func (k *checker) pongLimit() time.Duration { return max(3*k.cfg.Timeout/10, 1500*time.Millisecond) }

// pingPong sends a PING and waits for its PONG, or for BYE.
func (c *conn) pingPong() error {
	seq := c.k.pingSeq()
	c.pings = append(c.pings, seq)
	c.limit(c.k.cfg.Timeout)
	c.send(fg1.Ping, 0, seq, nil)
	for last := time.Now(); len(c.pings) > 0 && !c.ended; {
		_, err := c.event()
		if err != nil {
			return err
		}
		now := time.Now()
		if late := now.Sub(last); late > c.k.pongLimit() && len(c.pings) == 0 {
			c.k.report.broke(ping, "PONG seq %d came after %v, and nothing else before it", seq, late.Round(time.Millisecond))
		}
		last = now
	}
	if !c.ended {
		c.k.report.keep(ping)
	}
	return nil
}

// pingSeq returns a seq for a PING. They differ, and use all bits.
func (k *checker) pingSeq() uint64 {
	k.pings++
	return k.pings * 0x9E3779B97F4A7C15 // odd, so the products differ
}

// endWait limits the end of the session, in multiples of Config.Timeout, which limits each message of it.
const endWait = 6

// serverBye acknowledges all messages until the server ends the session.
func (k *checker) serverBye() error {
	c, err := k.enter()
	if c == nil || err != nil {
		return err
	}
	k.doing = bye
	begin := time.Now()
	for n := 0; n < k.cfg.Messages; {
		c.limit(min(k.cfg.Timeout, endWait*k.cfg.Timeout-time.Since(begin)))
		e, err := c.event()
		switch {
		case err == errQuiet:
			k.report.skip(bye, "no BYE after %d more messages, in %v; end after a limited number", n, time.Since(begin).Round(time.Second))
			c.leave()
			return nil
		case err != nil || c.ended:
			c.lost(err)
			return nil
		case e.Op == fg1.Data:
			n++
			c.sendAck(e.Seq)
		}
	}
	k.report.skip(bye, "no BYE after %d more messages; end after fewer", k.cfg.Messages)
	c.leave()
	return nil
}

// sendAck acknowledges a message in a way that the server offers.
func (c *conn) sendAck(seq uint64) {
	op := fg1.Ack
	if !c.k.each {
		op = fg1.AckTo
	}
	c.send(op, fg1.CodeOK, seq, nil)
}
