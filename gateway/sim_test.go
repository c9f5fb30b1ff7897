package gateway

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"time"
)

// sim is one simulation: the real loop, workers and socket, on a single goroutine, with a
// simulated server and kernel. All randomness comes from the seed.
type sim struct {
	rng     *rand.Rand
	own     *rand.Rand // which messages are side messages
	disk    *rand.Rand // the outcome of writes
	slow    *rand.Rand // which handlers take time, and how much
	plan    simPlan
	log     *slog.Logger
	trace   bool
	observe func(state, event, int) // may be nil

	clock  time.Duration
	oracle simOracle
	proc   *simProcess           // nil: none runs
	conn   *simConn              // the gateway's end is open; nil: none
	served *simConn              // the server's end is open; nil: none
	conns  int                   // made so far
	file   map[string]stateEntry // the state file

	steps   int
	faults  int  // left to inject
	calm    bool // no more faults
	flooded bool
	final   bool // everything is done; the gateway is about to end
	over    bool
	fault   error
	hash    uint64
}

// simActor is a part of the simulation that can make a step.
type simActor int

const (
	simLoop simActor = iota
	simEdges
	simDowns
	simUps
	simReads
	simSends
	simWritable
	simDials
	simComplete
	simWork
	simDisk
	simActors
)

const (
	simSteps = 400_000 // a longer simulation counts as endless
	simQuiet = 300     // steps before faults may end
)

// runSim runs a seed. observe, unless nil, is called for the events of its connections.
func runSim(seed uint64, trace bool, observe func(state, event, int)) (hash uint64, steps int, err error) {
	s := &sim{rng: rand.New(rand.NewPCG(seed, 0)), trace: trace, observe: observe, log: discardLog(), file: make(map[string]stateEntry), clock: 1}
	s.hash = 14695981039346656037
	s.plan = drawPlan(s.rng)
	s.own = rand.New(rand.NewPCG(seed, 1))
	s.plan.drawSide(s.own)
	s.disk = rand.New(rand.NewPCG(seed, 2))
	s.plan.drawDisk(s.disk)
	s.plan.stall = drawStall(seed)
	s.slow = rand.New(rand.NewPCG(seed, 3))
	s.plan.drawSlow(s.slow)
	s.faults = s.plan.faults
	s.oracle.s = s
	s.oracle.init()
	if trace {
		s.log = slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug}))
		fmt.Printf("plan %+v\n", s.plan)
	}
	defer func() {
		if r := recover(); r != nil {
			hash, steps, err = s.hash, s.steps, fmt.Errorf("step %d: panic: %v\n%s", s.steps, r, debug.Stack())
		}
		if s.proc != nil {
			s.proc.l.slabs.close()
		}
	}()
	for !s.over && s.fault == nil {
		s.step()
	}
	return s.hash, s.steps, s.fault
}

// failf records the first violation.
func (s *sim) failf(format string, args ...any) {
	if s.fault == nil {
		s.fault = fmt.Errorf("step %d, %v: %w", s.steps, s.clock, fmt.Errorf(format, args...))
	}
}

// note adds a line to the trace and the hash, which are the same for each run of a seed.
func (s *sim) note(what string, a, b uint64) {
	const prime = 1099511628211
	h := s.hash
	for i := range len(what) {
		h = (h ^ uint64(what[i])) * prime
	}
	s.hash = ((h^a)*prime ^ b) * prime
	if s.trace {
		fmt.Printf("%6d %12v %-9s %d %d\n", s.steps, s.clock, what, a, b)
	}
}

// step lets time pass and one actor move. If none can move, the clock jumps to the next deadline.
func (s *sim) step() {
	if s.steps++; s.steps > simSteps {
		s.failf("it does not end")
		return
	}
	if s.plan.tick > 0 {
		s.clock += time.Duration(s.rng.Int64N(int64(s.plan.tick)))
	}
	if s.proc == nil {
		s.boot()
		return
	}
	s.maybeFault()
	if s.proc == nil || s.fault != nil {
		return
	}
	s.finish()
	s.proc.tryAgain()
	if !s.calm && s.rng.IntN(1000) < s.plan.jump && s.jump() {
		return
	}
	who, worker, ok := s.pick()
	if !ok {
		if !s.jump() {
			s.failf("nothing can move: state %v, %d in flight, %d bytes to send", s.proc.l.conn.state, s.proc.l.track.InFlight(), s.proc.l.out.Len())
		}
		return
	}
	s.move(who, worker)
}

// pick draws one of the actors that can move.
func (s *sim) pick() (who simActor, at int, ok bool) {
	p, total := s.proc, 0
	offer := func(a simActor, i int, can bool) {
		if !can {
			return
		}
		total += s.plan.bias[a]
		if s.rng.IntN(total) < s.plan.bias[a] {
			who, at, ok = a, i, true
		}
	}
	offer(simLoop, 0, p.runnable())
	polling := p.mode != simIdle
	if c := s.conn; c != nil {
		offer(simEdges, 0, polling && c.watched && c.edge != simEdge{})
		offer(simDowns, 0, !c.silent && !c.reset && c.down.movable())
		offer(simWritable, 0, c.full && !c.reset && c.up.buffered() < s.plan.upCap)
	}
	if c := s.served; c != nil {
		offer(simUps, 0, !c.silent && !c.reset && c.upMovable())
		offer(simReads, 0, c.peer.readable())
		offer(simSends, 0, c.peer.sending())
	}
	offer(simDials, 0, polling && p.dial != nil && (s.clock >= p.dial.due || p.dial.ctx.Err() != nil))
	offer(simDisk, 0, p.drive.ready())
	offer(simDisk, 1, polling && len(p.drive.posted) > 0)
	for i := range p.idle {
		offer(simWork, i, !p.idle[i])
		offer(simComplete, i, s.isDue(p.main.handlers[i].due()))
		if s.plan.deadLetters {
			offer(simComplete, i+len(p.idle), s.isDue(p.dead.handlers[i].due()))
		}
	}
	return who, at, ok
}

func (s *sim) isDue(at time.Duration) bool { return at != 0 && s.clock >= at }

func (s *sim) move(who simActor, at int) {
	p := s.proc
	switch who {
	case simLoop:
		p.run()
	case simEdges:
		e := s.conn.takeEdge()
		s.note("edge", 0, 0)
		p.l.conn.peer.edge(e.readable, e.writable, e.halfClosed, e.reset)
		p.wakeLoop()
	case simDowns:
		s.conn.deliverDown()
	case simUps:
		s.served.deliverUp()
	case simReads:
		s.served.peer.read()
	case simSends:
		s.served.peer.send()
	case simWritable:
		s.conn.makeWritable()
	case simDials:
		p.endDial()
	case simComplete:
		sink, i := &p.main, at
		if at >= len(p.idle) {
			sink, i = &p.dead, at-len(p.idle)
		}
		sink.handlers[i].resolveDue()
		p.idle[i] = false
	case simWork:
		p.work(at)
	case simDisk:
		if at == 0 {
			p.drive.move()
		} else {
			p.drive.runPosted()
		}
	}
}

// jump advances the clock to the next deadline.
func (s *sim) jump() bool {
	p, due := s.proc, time.Duration(0)
	at := func(t time.Duration) {
		if t > s.clock {
			due = earliest(due, t)
		}
	}
	if p.mode == simAsleep {
		at(p.timer)
	}
	if p.dial != nil {
		at(p.dial.due)
	}
	at(p.drive.due())
	if c := s.served; c != nil {
		at(c.peer.stalled)
		if c.peer.session != nil && !c.peer.bye {
			at(c.peer.ping)
		}
	}
	for i := range p.idle {
		at(p.main.handlers[i].due())
		if s.plan.deadLetters {
			at(p.dead.handlers[i].due())
		}
		for _, t := range p.retries[i] {
			at(t)
		}
	}
	if due == 0 {
		return false
	}
	s.clock = due
	s.note("jump", uint64(due), 0)
	return true
}
