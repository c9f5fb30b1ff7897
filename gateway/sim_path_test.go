package gateway

import "time"

// simPath is the path between the two kernels, as the gateway's TCP knows it. The peer's TCP
// answers, if not at once, for as long as the path is not cut; what its process does is all the same.
type simPath struct {
	c   *simConn
	cut time.Duration // when it was; of a silent connection

	// While it lives, something is sent again, or a probe is sent, once in a period, and answered
	// after the round trip. A period that is long is that of a window which has been closed for long.
	period, trip time.Duration

	unacked time.Duration // the first turn that left bytes unacknowledged on a cut path; 0: there was none
	noticed time.Duration // the turn by which the loop must have looked at that
	turns   int
}

func (p *simPath) init(c *simConn) {
	const ms = time.Millisecond
	p.c, p.period = c, among(c.s.own, 200*ms, 200*ms, 1600*ms, 25*time.Second, 120*time.Second)
	p.trip = among(c.s.own, 0, 10*ms, 200*ms)
}

// state is the answer to TCP_INFO.
func (p *simPath) state(pending bool) pathState {
	c := p.c
	if c.reset {
		return pathState{}
	}
	if c.silent {
		return pathState{pending, pending, c.s.clock - p.cut}
	}
	silent := (c.s.clock-c.begun)%p.period - p.trip
	if silent >= 0 {
		return pathState{pending, false, silent}
	}
	return pathState{pending, pending, silent + p.period}
}

// check, after a turn: a cut path with unacknowledged bytes is found within --idle-timeout of
// the first look at it, whatever else the loop waits for.
func (p *simPath) check() {
	c, now := p.c, p.c.s.clock
	if !c.silent || !c.s.proc.l.conn.is(watches) || c.s.proc.l.conn.sock.unacked() == 0 {
		p.unacked, p.noticed, p.turns = 0, 0, 0
		return
	}
	// A turn in which the state changes looks at no timers.
	const turns = 3
	switch {
	case p.unacked == 0:
		p.unacked = now
	case p.noticed == 0 && now >= p.unacked+pathPoll:
		if p.turns++; p.turns == turns {
			p.noticed, p.turns = now, 0
		}
	case p.noticed > 0 && now >= p.noticed+max(c.s.plan.idle, pathLeast):
		if p.turns++; p.turns == turns {
			c.s.failf("connection %d is kept though its path has been cut for %v", c.num, now-p.cut)
		}
	}
}
