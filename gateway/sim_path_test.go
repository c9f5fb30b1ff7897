package gateway

import "time"

// simPath is the path between the two kernels, as the gateway's TCP sees it. The peer's TCP
// answers, possibly late, until the path is cut, whatever its process does.
type simPath struct {
	c   *simConn
	cut time.Duration // when the path was cut, if the connection is silent

	// Until it is cut, a retransmission or a probe is sent once per period and answered after a
	// round trip. A long period is that of a window that has been closed for long.
	period, trip time.Duration
	peerResends  bool // the peer's retransmissions still arrive on the cut path

	unacked time.Duration // first turn that left bytes unacknowledged on the cut path; 0: none
	look    time.Duration // time of the next required check
	looks   int           // required checks so far
	turns   int
	noticed time.Duration // turn by which the loop must have seen that there is no answer
}

func (p *simPath) init(c *simConn) {
	const ms = time.Millisecond
	p.c, p.period = c, among(c.s.own, 200*ms, 200*ms, 1600*ms, 25*time.Second, 120*time.Second)
	p.trip = among(c.s.own, 0, 10*ms, 200*ms)
	p.peerResends = c.s.own.IntN(2) == 0
}

// state returns what TCP_INFO would show.
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

// simResend is the interval of retransmissions on a cut path.
const simResend = 200 * time.Millisecond

// check is called after a turn. A cut path with unacknowledged bytes must be detected within
// --idle-timeout after the first checks, whatever else the loop waits for.
func (p *simPath) check() {
	c, now := p.c, p.c.s.clock
	if !c.silent || !c.s.proc.l.conn.is(watches) || c.s.proc.l.conn.sock.unacked() == 0 {
		p.unacked, p.noticed, p.looks, p.turns = 0, 0, 0, 0
		return
	}
	// A turn in which the state changes fires no timers.
	const turns = 3
	looks := 1
	if p.peerResends { // only retransmissions between two of them count
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
