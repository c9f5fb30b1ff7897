package fgcheck

import (
	"fmt"

	"feedgate/gateway/wire/fg1"
)

// wanted is how many messages are received before the first cut.
const wanted = 6

// maxAgain limits how many messages of a connection are expected again on the next one.
const maxAgain = 64

// progress is what a step has acknowledged, and so where the session must continue.
type progress struct {
	rule   rule   // that is tested
	from   uint64 // the first message that was not done before the step
	want   uint64 // WELCOME's seq on the next connection: at least this
	most   uint64 // and at most this
	beyond rule   // is broken by a higher one
	hello  uint64 // HELLO's seq on the next connection
}

// ackStep acknowledges some messages. Then the connection is cut, and the session resumed.
type ackStep struct {
	rule    rule
	needs   uint64 // unacknowledged messages
	wrong   bool   // the client breaks a rule: the server may answer with BYE and a code
	offered func(k *checker) bool
	act     func(c *conn, from, n uint64) progress // n: as needed, or one more
}

// farAway is the distance to a message that no server has sent yet.
const farAway = 1 << 40

// Codes of refused messages.
const (
	codeRefused  = 1
	codeHandlers = 1000 // the first of the handler's own
)

// ackSteps are in this order because each leaves the session to the next. HELLO's seq is 0 where
// acks are tested: it may lag behind them, as that of a gateway that was restarted.
var ackSteps = []ackStep{
	{rule: ackEach, needs: 1, offered: func(k *checker) bool { return k.each },
		act: func(c *conn, from, n uint64) progress {
			for i := range n {
				c.send(fg1.Ack, fg1.CodeOK, from+i, nil)
			}
			return done(ackEach, from, n)
		}},
	{rule: ackTo, needs: 1, offered: func(k *checker) bool { return k.ranges },
		act: func(c *conn, from, n uint64) progress {
			if n > 1 { // a refused message gets its own ACK first
				c.send(fg1.Ack, codeRefused, from+n-1, nil)
			}
			c.send(fg1.AckTo, fg1.CodeOK, from+n-1, nil)
			return done(ackTo, from, n)
		}},
	{rule: ackOne, needs: 2, act: func(c *conn, from, _ uint64) progress {
		c.ackOne(from + 1)
		return none(ackOne, from)
	}},
	{rule: ackRefused, needs: 1, act: func(c *conn, from, n uint64) progress {
		codes := []uint16{codeRefused, codeHandlers}
		for i := range n {
			c.send(fg1.Ack, codes[i], from+i, nil)
		}
		return done(ackRefused, from, n)
	}},
	{rule: helloSeq, needs: 1, act: func(_ *conn, from, _ uint64) progress {
		p := none(helloSeq, from)
		p.most, p.hello = from+1, from
		return p
	}},
	{rule: ackUnsent, wrong: true, act: func(c *conn, from, _ uint64) progress {
		c.send(fg1.Ack, fg1.CodeOK, from+farAway, nil)
		if c.k.ranges {
			c.send(fg1.AckTo, fg1.CodeOK, from+farAway, nil)
		}
		return none(ackUnsent, from)
	}},
}

// ackOne makes one message done, in any ack mode.
func (c *conn) ackOne(seq uint64) {
	code := fg1.CodeOK
	if !c.k.each {
		code = codeRefused // gets its own ACK
	}
	c.send(fg1.Ack, code, seq, nil)
}

// done is the progress of a step that makes n messages done.
func done(name rule, from, n uint64) progress {
	return progress{rule: name, from: from, want: from + n, most: from + n, beyond: resumeSeq}
}

// none is the progress of a step that makes no message done.
func none(name rule, from uint64) progress {
	return progress{rule: name, from: from, want: from, most: from, beyond: name}
}

// resuming tests acks and resuming, in one session with a connection per step.
func (k *checker) resuming(c *conn) error {
	c.collect(k.window)
	k.top = c.stream.last()
	if err := c.settle(true); err != nil {
		return err
	}
	k.endsEarly = c.ended
	switch {
	case k.session == "" && k.report.isBroken(welcomeJSON):
		k.skipSession("WELCOME could not be read, see welcome-json")
		return nil
	case k.session == "":
		k.skipSession("name the session in WELCOME")
		return nil
	case len(c.stream.kept) == 0:
		k.skipSession(fmt.Sprintf("no message came within %v; send some", k.cfg.Timeout))
		return nil
	}
	p := none(resumeSeq, k.base)
	k.doing = p.rule
	for steps := ackSteps; ; {
		c, err := k.resume(p.hello)
		if c == nil || err != nil {
			k.skipSession("the session could not be resumed")
			return err
		}
		if !k.judge(c, p) {
			c.leave()
			return nil
		}
		judged := true
		p.rule = ""
		for ; p.rule == "" && len(steps) > 0; steps = steps[1:] {
			p, judged = k.act(c, steps[0]), !steps[0].wrong
		}
		switch {
		case p.rule != "":
			k.top = max(k.top, c.stream.last())
			if err := c.settle(judged); err != nil {
				return err
			}
		case c.ended:
			c.lost(nil)
			return nil
		default:
			c.leave()
			return nil
		}
	}
}

// act runs a step. Its progress has no rule if the step cannot be done.
func (k *checker) act(c *conn, s ackStep) progress {
	if s.offered != nil && !s.offered(k) {
		k.report.skip(s.rule, "WELCOME's acks does not offer it")
		return progress{}
	}
	var n uint64
	if s.needs > 0 {
		c.collect(min(k.window, 2))
		n = c.stream.run(k.base, 2)
	}
	switch {
	case n < s.needs && c.ended:
		k.report.skip(s.rule, "BYE code %d came before; send more messages", c.byeCode)
	case n < s.needs:
		k.report.skip(s.rule, "it needs messages from seq %d on before their acks: %d, not %d; send more", k.base, s.needs, n)
	default:
		k.doing = s.rule
		c.limit(k.cfg.Timeout)
		return s.act(c, k.base, n)
	}
	return progress{}
}

// judge checks where the session continues, and that its messages are sent again. It returns false
// if the next steps cannot be done.
func (k *checker) judge(c *conn, p progress) bool {
	r, got := k.report, c.welcome.seq
	if c.welcome.session != k.session {
		k.skipSession("the server began a new session instead of resuming it")
		k.session, k.forgets = "", true
		return false
	}
	switch {
	case got >= p.want && got <= p.most:
		r.keep(p.rule, resumeSeq)
	case got > p.most:
		r.broke(p.beyond, "WELCOME seq %d, want %d", got, p.most)
		if p.beyond == resumeSeq {
			r.keep(p.rule)
		}
	case got == p.from:
		r.broke(p.rule, "WELCOME seq %d after acks up to seq %d", got, p.want-1)
	default:
		r.broke(resumeSeq, "WELCOME seq %d, want %d", got, p.want)
	}
	if r.isBroken(resumeSeq) {
		c.stream.unsure = true
		k.skipSession("the session does not continue where it should, see resume-seq")
		return false
	}
	k.base = got
	k.again(c)
	return true
}

// again checks that the messages of earlier connections come again.
func (k *checker) again(c *conn) {
	s := &c.stream
	if k.top < k.base || k.report.isBroken(resend) {
		return
	}
	n := int(min(k.top-k.base+1, maxAgain))
	c.limit(k.cfg.Timeout)
	// A few more messages than those due, because order is another rule.
	for s.run(k.base, n) < uint64(n) && len(s.kept) < n+2 {
		if _, err := c.event(); err != nil || c.ended {
			if err == errFault {
				return
			}
			break
		}
	}
	if have := s.run(k.base, n); have < uint64(n) {
		k.report.broke(resend, "DATA seq %d did not come again after WELCOME seq %d", k.base+have, k.base)
		return
	}
	k.report.keep(resend)
}

// collect receives n messages, or as many as come in time.
func (c *conn) collect(n int) {
	if len(c.stream.kept) >= n {
		return
	}
	c.limit(c.k.cfg.Timeout)
	for len(c.stream.kept) < n && !c.ended {
		switch _, err := c.event(); {
		case err == errQuiet:
			c.k.window = max(1, len(c.stream.kept))
			return
		case err != nil:
			return
		}
	}
}

// skipSession records why the rules of a session are not seen.
func (k *checker) skipSession(reason string) {
	for _, name := range []rule{ackEach, ackTo, ackOne, ackRefused, ackUnsent, resumeSeq, resend, helloSeq} {
		k.report.skip(name, "%s", reason)
	}
}
