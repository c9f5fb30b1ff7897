package gateway

import (
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// Kinds of faults.
const (
	simReset   = iota // reset of the connection, after any byte
	simSilence        // half open
	simStall          // the server does not read for a while
	simCrash          // the gateway is killed
	simDrain          // SIGTERM, sometimes twice
	simBye            // the server closes
	simHalf           // the server ends its sending side without BYE
	simGarbage        // the server violates the protocol
	simFlood          // so many PINGs that the answers reach maxUnsent
	simFaults
)

// maybeFault injects a fault now and then, and sometimes requests a write of the state file.
func (s *sim) maybeFault() {
	if s.proc.cfg.State != nil && s.rng.IntN(50) == 0 {
		s.proc.drive.wanted = true
	}
	if s.faults == 0 {
		s.calm = s.calm || s.steps > simQuiet
		return
	}
	if s.rng.IntN(s.plan.faultEvery) > 0 {
		return
	}
	total := 0
	for _, w := range s.plan.faultWeight {
		total += w
	}
	if total == 0 {
		s.faults = 0
		return
	}
	at, kind := s.rng.IntN(total), 0
	for at >= s.plan.faultWeight[kind] {
		at -= s.plan.faultWeight[kind]
		kind++
	}
	s.faults--
	s.note("fault", uint64(kind), 0)
	s.inject(kind)
}

func (s *sim) inject(kind int) {
	p := s.proc
	switch kind {
	case simCrash:
		p.leave(true)
		return
	case simDrain:
		if p.mode != simIdle {
			p.drain()
		}
		return
	}
	c := s.served
	if c == nil {
		return
	}
	switch kind {
	case simReset:
		c.kill()
	case simSilence:
		if !c.silent {
			c.silent, c.path.cut = true, s.clock
		}
	case simStall:
		c.peer.stalled = s.clock + among(s.rng, time.Millisecond, time.Second, 20*time.Second)
	}
	q := &c.peer
	if q.session == nil || q.bye || q.garbage || c.down.ending || c.reset || q.part != nil && kind != simHalf {
		return
	}
	switch kind {
	case simBye:
		q.sayBye(among[uint16](s.rng, fg1.CodeOK, fg1.CodeShuttingDown, uint16(worker.Refused), fg1.CodeBadToken))
	case simHalf:
		if !c.closed {
			c.down.ending = true
		}
	case simGarbage:
		q.garbage = true
		q.put(among[fg1.Op](s.rng, fg1.Hello, fg1.Ack, 99), 0, 0, 0, nil)
	case simFlood:
		if s.flooded || s.plan.piece < 1000 || s.plan.upCap < 1000 {
			return // the flood would take too long
		}
		s.flooded = true
		for range maxUnsent/fg1.HeaderSize + 100 {
			q.sendPing()
		}
	}
}

// sayBye sends BYE and may close the server's sending side.
func (q *simPeer) sayBye(code uint16) {
	q.put(fg1.Bye, 0, code, 0, nil)
	q.bye = true
	if q.c.s.rng.IntN(2) == 0 && !q.c.closed {
		q.c.down.ending = true
	}
}

// drain simulates SIGTERM; the second one aborts.
func (p *simProcess) drain() {
	if p.drained && !p.s.final {
		p.l.abort()
	} else {
		p.l.drain()
	}
	p.drained = true
	p.wakeLoop()
}
