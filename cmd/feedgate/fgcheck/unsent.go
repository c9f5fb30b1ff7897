package fgcheck

import (
	"time"

	"feedgate/gateway/wire/fg1"
)

// fullWait is how long a server sends nothing before its window is taken to be full.
const fullWait = 300 * time.Millisecond

// nextUnsent acknowledges the message that the server will send next in the tested session. That ACK must not
// count, so the message is due all the same, and due again after a cut.
func (k *checker) nextUnsent() error {
	r := k.report
	if k.session == "" || k.endsEarly || r.found[ackUnsent].verdict != kept || r.isBroken(resend) {
		return nil
	}
	early, err := k.ackNext()
	if early == 0 || err != nil {
		return err
	}
	if ok, err := k.receive(early); !ok || err != nil {
		return err
	}
	c, err := k.resume(0)
	if c == nil || err != nil {
		return err
	}
	if c.welcome.session == k.session && c.welcome.seq > early {
		r.broke(ackUnsent, "WELCOME seq %d, and the only ACK of seq %d came before that message", c.welcome.seq, early)
	}
	c.leave()
	return nil
}

// ackNext receives what the server sends without acks, and acknowledges the next message, early. 0: the server
// has sent that meanwhile, or does not stop sending.
func (k *checker) ackNext() (early uint64, err error) {
	c, err := k.resume(0)
	if c == nil || err != nil {
		return 0, err
	}
	k.doing = ackUnsent
	if !c.untilFull() || len(c.stream.kept) == 0 {
		c.leave()
		return 0, nil
	}
	early = k.sent + 1
	c.limit(k.cfg.Timeout)
	c.ackOne(early)
	if err := c.settle(false); err != nil || k.sent >= early {
		return 0, err
	}
	return early, nil
}

// untilFull reads until the server sends nothing. It returns false if it continues to send.
func (c *conn) untilFull() bool {
	for range c.k.cfg.Messages {
		c.limit(fullWait)
		if _, err := c.event(); err != nil || c.ended {
			return err == errQuiet
		}
	}
	return false
}

// receive acknowledges all messages before one, until that has come. It returns false if it has not.
func (k *checker) receive(seq uint64) (ok bool, err error) {
	c, err := k.resume(0)
	if c == nil || err != nil {
		return false, err
	}
	c.stream.early = seq
	for range k.cfg.Messages {
		c.limit(k.cfg.Timeout)
		e, err := c.event()
		switch {
		case err == errQuiet:
			c.leave()
			return false, nil
		case err != nil || c.ended:
			c.lost(err)
			return false, nil
		case e.Op == fg1.Data && e.Seq >= seq:
			return e.Seq == seq, c.settle(true)
		case e.Op == fg1.Data:
			c.sendAck(e.Seq)
		}
	}
	c.leave()
	return false, nil
}
