package gateway

import (
	"errors"

	"feedgate/gateway/wire/fg1"
)

// check checks the bounds of the process and its published state.
func (p *simProcess) check() {
	l := p.l
	if l.slabs.used > l.slabs.limit {
		p.s.failf("%d bytes of read buffers, at most %d are allowed", l.slabs.used, l.slabs.limit)
	}
	if p.memory.used != l.slabs.used {
		p.s.failf("%d bytes of read buffers are in use, counted as %d", p.memory.used, l.slabs.used)
	}
	// A late message that arrives first after a reconnect needs an extra slot.
	if p.last != nil && *p.last != l.track.Next() {
		p.s.failf("%d messages dispatched after the handlers were drained", l.track.Next()-*p.last)
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

// checkReprocessed bounds the number of messages that would be processed again after a kill: those
// that are done, but whose ack is not on the wire. After a reconnect there may be more, because
// acks on the wire were lost.
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

// checkIdle checks that all slabs are free when nothing is in flight.
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
		p.s.failf("%d bytes of read buffers are not free", p.l.slabs.used-free)
	}
	for _, c := range p.cases {
		if c.state != simDone {
			p.s.failf("the gateway ends well while %d is not done", c.e.seq)
		}
	}
}

// finish ends the simulation once the server has delivered everything.
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

// exited checks how the gateway has ended.
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
