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
	peerResends  bool // on the cut path, what the peer sends again comes

	unacked time.Duration // the first turn that left bytes unacknowledged on a cut path; 0: there was none
	look    time.Duration // then there must be a look
	looks   int           // that there must have been
	turns   int
	noticed time.Duration // the turn by which the loop must have found what is unanswered
}

func (p *simPath) init(c *simConn) {
	const ms = time.Millisecond
	p.c, p.period = c, among(c.s.own, 200*ms, 200*ms, 1600*ms, 25*time.Second, 120*time.Second)
	p.trip = among(c.s.own, 0, 10*ms, 200*ms)
	p.peerResends = c.s.own.IntN(2) == 0
}

// state is the answer to TCP_INFO.
func (p *simPath) state(pending bool) pathState {
	c := p.c
	if c.reset {
		return pathState{}
	}
	end := c.s.clock
	if c.silent {
		end = p.cut
	}
	at := end - c.begun
	sent := uint64(at/p.period) + 1
	state := pathState{pending: pending, resent: pending, resends: sent, answers: sent}
	if state.silence = at%p.period - p.trip; state.silence < 0 {
		state.answers--
		state.silence += p.period
		state.quiet = pending
	}
	if c.silent {
		if state.silence += c.s.clock - p.cut; p.peerResends {
			state.silence = 0
		}
		state.quiet = pending && !p.peerResends
		state.resends += 1 + uint64((c.s.clock-p.cut)/simResend)
	}
	return state
}

// simResend is how often the gateway's TCP sends again on a cut path.
const simResend = 200 * time.Millisecond

// check, after a turn: a cut path with unacknowledged bytes is found within --idle-timeout of
// the first looks at it, whatever else the loop waits for.
func (p *simPath) check() {
	c, now := p.c, p.c.s.clock
	if !c.silent || !c.s.proc.l.conn.is(watches) || c.s.proc.l.conn.sock.unacked() == 0 {
		p.unacked, p.noticed, p.looks, p.turns = 0, 0, 0, 0
		return
	}
	// A turn in which the state changes looks at no timers.
	const turns = 3
	looks := 1
	if p.peerResends { // what counts is what was sent again between two of them
		looks = 3
	}
	switch {
	case p.unacked == 0:
		p.unacked, p.look = now, now+pathPoll
	case p.looks < looks && now >= p.look:
		if p.turns++; p.turns < turns {
			break
		}
		p.turns, p.look = 0, now+pathPoll
		if p.looks++; p.looks == looks {
			p.noticed = now
		}
	case p.noticed > 0 && now >= p.noticed+max(c.s.plan.idle, minPathLimit):
		if p.turns++; p.turns == turns {
			c.s.failf("connection %d is kept though its path has been cut for %v", c.num, now-p.cut)
		}
	}
}
