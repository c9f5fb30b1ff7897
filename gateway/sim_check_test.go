package gateway

import (
	"errors"

	"feedgate/gateway/wire/fg1"
)

// check holds the process to its bounds, and its state to the truth.
func (p *simProcess) check() {
	l := p.l
	if l.slabs.used > l.slabs.limit {
		p.s.failf("%d bytes of read buffers, at most %d are allowed", l.slabs.used, l.slabs.limit)
	}
	if p.memory.used != l.slabs.used {
		p.s.failf("%d bytes of read buffers are in use, counted as %d", p.memory.used, l.slabs.used)
	}
	// What was missing and comes first after a reconnect needs slots of its own.
	if p.last != nil && *p.last != l.track.Next() {
		p.s.failf("%d messages come after the handlers were told that none would", l.track.Next()-*p.last)
	}
	if p.last == nil && l.stop.poolDrained {
		p.last = new(l.track.Next())
	}
	most := p.cfg.InFlight
	if n := l.track.InFlight(); n > most && n > most+p.s.oracle.countMissed() {
		p.s.failf("%d messages in flight, at most %d are allowed", n, most)
	}
	if p.s.conn != nil {
		p.s.conn.path.check()
	}
	if p.s.conn != nil && p.cfg.Ack != "none" && p.dials == 1 {
		p.checkReprocessed(p.s.conn.ledger.unsent())
	}
	if p.cfg.State != nil {
		if now := p.cfg.State.get(simURL); now != p.saved {
			p.saved = now
			if now.Session != "" {
				p.s.oracle.checkDone("the state", now.Session, now.Seq)
			}
		}
	}
}

// checkReprocessed bounds what would be processed again after a kill: what is done and has no
// ack, and what has one that is not on the wire. After a reconnect there may be more:
// what was on the wire and got lost.
func (p *simProcess) checkReprocessed(unsent int) {
	if unsent == 0 {
		return
	}
	done := 0
	for e, c := range p.cases {
		if c.state == simDone && !e.ackSent && e.session == p.s.conn.peer.session {
			done++
		}
	}
	if most := p.cfg.InFlight; done+unsent > most && done+unsent > most+p.s.oracle.countMissed() {
		p.s.failf("%d messages are done and not acked, %d acks are not on the wire, together at most %d are allowed", done, unsent, most)
	}
}

// checkIdle: with nothing in flight all memory is back.
func (p *simProcess) checkIdle() {
	p.l.receiver.dropSlabs()
	p.l.slabs.collectFreed()
	free := int64(0)
	for _, list := range p.l.slabs.free {
		for _, id := range list {
			free += int64(len(p.l.slabs.table.At(id).Data))
		}
	}
	if free != p.l.slabs.used {
		p.s.failf("%d bytes of read buffers did not come back", p.l.slabs.used-free)
	}
	for _, c := range p.cases {
		if c.state != simDone {
			p.s.failf("the gateway ends well while %d is not done", c.e.seq)
		}
	}
}

// finish brings the world to its end once the server has got rid of everything.
func (s *sim) finish() {
	c := s.served
	if !s.calm || c == nil || s.proc.drained || !c.peer.complete() {
		return
	}
	s.note("final", 0, 0)
	s.final = true
	if s.plan.exitOnClose {
		c.peer.sayBye(among[uint16](s.rng, fg1.CodeOK, fg1.CodeShuttingDown))
	} else if s.proc.mode != simIdle {
		s.proc.drain()
	}
}

// exited judges the gateway's own end.
func (s *sim) exited() {
	p, err := s.proc, s.proc.l.stop.err
	s.note("exit", 0, 0)
	switch {
	case err == nil:
		p.checkIdle()
	case s.final || !errors.Is(err, ErrUnfinished):
		s.failf("the gateway ends with %w", err)
	}
	p.leave(false)
	if s.final {
		s.over = true
		for _, m := range s.oracle.msgs {
			if !m.processed || !m.acked && s.plan.ack != "none" {
				s.failf("message %d at the end: processed %v, acknowledged %v", m.id, m.processed, m.acked)
			}
		}
	}
}
