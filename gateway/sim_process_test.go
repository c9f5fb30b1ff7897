package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"time"

	"feedgate/gateway/internal/pool"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// simProcess is one process of the gateway, from its start until it exits or is killed. It is the
// loop's env and acts as the reactor: it turns the loop when the real one would.
type simProcess struct {
	s      *sim
	cfg    Config
	l      *loop
	main   simSink
	dead   simSink
	memory *simMemory
	drive  simDrive
	cases  map[*simEntry]*simCase
	keys   map[byte]*simKey

	mode      simMode
	signalled bool          // a worker has called Wake
	timer     time.Duration // when to turn the loop; 0: never

	idle    []bool            // workers that had nothing to do
	retries [][]time.Duration // by worker: times of pending retries
	dial    *simDial
	dials   int // that succeeded
	drained bool
	last    *uint64    // slot after the last message before the handlers were drained; nil: they were not
	leaving bool       // it is exiting or being killed
	saved   stateEntry // last seen in State
	stall   simWait
}

type simMode uint8

const (
	simAwake simMode = iota
	simIdle          // the last turn had nothing to do; workers may run before it sleeps
	simAsleep
)

type simDial struct {
	ctx  context.Context
	due  time.Duration
	fail bool
}

// simURL is the upstream's name in the state file.
const simURL = "fg://sim:1"

// boot starts a process with the state file of the previous one.
func (s *sim) boot() {
	p := &simProcess{s: s, cases: make(map[*simEntry]*simCase), keys: make(map[byte]*simKey)}
	p.drive = simDrive{p: p, excused: -1}
	plan := &s.plan
	p.main, p.dead = simSink{p: p}, simSink{p: p, dead: true}
	p.cfg = Config{
		Protocol: fg1.Protocol{}, Hosts: []string{"sim:1"}, Workers: plan.workers, Ring: plan.ring, InFlight: plan.inFlight,
		FlushMax: plan.flushMax, FlushPack: plan.flushPack, Ack: plan.ack, AckInterval: plan.interval,
		MaxMessage: plan.maxMessage, Memory: 4 * plan.maxMessage, Retries: plan.retries, RetryMin: plan.retryMin,
		Heartbeat: plan.heartbeat, IdleTimeout: plan.idle, ConnectTimeout: plan.connect, WriteTimeout: plan.write,
		ReconnectMin: plan.redial, ReconnectMax: 20 * plan.redial, DrainTimeout: plan.drain,
		StallAfter: plan.stall, ExitOnClose: plan.exitOnClose, ClientName: "sim", Sink: &p.main, Log: s.log,
	}
	if plan.keyed {
		p.cfg.Dispatch, p.cfg.Key = "key", "bytes:0:1"
	}
	if plan.deadLetters {
		p.cfg.DeadLetters = &p.dead
	}
	if plan.state {
		p.cfg.State = &State{entries: maps.Clone(s.file), waiters: make(map[string]stateWaiter), wake: func() { p.drive.wanted = true }}
		p.saved = s.file[simURL]
	}
	set, err := p.cfg.validate()
	if err != nil {
		s.failf("configuration: %v", err)
		return
	}
	if plan.own > 0 {
		set.codec = withSide(set.codec, func(*wire.Msg) bool { return chance(s.own, plan.own) })
	}
	set.codec = s.watched(set.codec)
	// Workers get only the low half of a slot, so test its overflow.
	set.firstSlot = among[uint64](s.rng, 0, 1<<32-10)
	p.l = newLoop(&p.cfg, set, new(Stats), p)
	if plan.smallSlabs {
		// These servers need little of the overhead that the protocol reserves.
		p.l.slabs = newSlabPool(p.cfg.Memory, max(plan.maxMessage+128, minSlab))
	}
	p.memory = newSimMemory()
	p.l.slabs.memory = p.memory
	p.l.conn.backoff.Draw, p.l.conn.observe = s.rng.Int64N, s.observe
	var output func([]byte, worker.Message) []byte
	if plan.output() {
		output = func(dst []byte, m worker.Message) []byte { return append(dst, m.Received()...) }
	}
	p.l.pool, err = pool.New(pool.Config{
		Workers: plan.workers, Ring: plan.ring, InFlight: plan.inFlight, Slabs: p.l.slabs.table,
		Sink: p.cfg.Sink, Retries: plan.retries, RetryMin: plan.retryMin, Key: set.selector,
		Output: output, OutputMemory: int64(plan.size),
		DrainSpan: p.cfg.DrainTimeout / 2, HoldBack: set.codec.HoldBack,
		DeadLetters: p.cfg.DeadLetters, Events: &p.l.events, Wake: func() { p.signalled = true },
		Now: func() time.Duration { return s.clock }, Log: s.log,
	})
	if err != nil {
		s.failf("pool: %v", err)
		return
	}
	p.l.setWorkers(p.l.pool.Workers())
	p.idle, p.retries = make([]bool, plan.workers), make([][]time.Duration, plan.workers)
	s.proc = p
	s.note("boot", p.saved.Seq, 0)
}

// now implements env.
func (p *simProcess) now() time.Duration { return p.s.clock }

// connect implements env.
func (p *simProcess) connect(ctx context.Context, _ *dialer) {
	if p.dial != nil || p.s.conn != nil {
		p.s.failf("a dial while there is a connection, or another dial")
	}
	fails := !p.s.calm && chance(p.s.rng, p.s.plan.dialFails)
	p.dial = &simDial{ctx, p.s.clock + time.Duration(p.s.rng.Int64N(int64(50*time.Millisecond))), fails}
}

// watch implements env.
func (p *simProcess) watch(t transport) error {
	c := t.(*simSocket).c
	c.watched = true
	c.edge.readable, c.edge.writable = len(c.down.arrived) > 0, true
	return nil
}

// unwatch implements env.
func (p *simProcess) unwatch(t transport) {
	c := t.(*simSocket).c
	c.watched, c.edge = false, simEdge{}
}

func (p *simProcess) knows(e *simEntry) bool { return p != nil && p.cases[e] != nil }

func (p *simProcess) working(e *simEntry) bool {
	c := p.cases[e]
	return c != nil && c.state != simDone
}

// runnable reports whether the loop's goroutine has something to do.
func (p *simProcess) runnable() bool {
	return p.mode != simAsleep || p.signalled || p.timer != 0 && p.s.clock >= p.timer
}

// run turns the loop once, or puts it to sleep.
func (p *simProcess) run() {
	if p.mode == simIdle {
		if p.mode = simAwake; p.l.sleep() {
			p.mode, p.timer = simAsleep, p.l.conn.nextDue()
			if at := p.stallDue(); at != 0 && p.stall.reported == "" && (p.timer == 0 || p.timer > at) {
				p.s.failf("it sleeps until %v, and is to report a stall at %v", p.timer, at)
			}
			p.s.note("sleep", uint64(p.timer), 0)
			return
		}
	}
	p.turn()
}

func (p *simProcess) turn() {
	l := p.l
	if p.mode == simAsleep {
		p.mode, p.signalled = simAwake, false
		l.events.Wake()
	}
	p.beforeTurn()
	busy := l.turn()
	p.s.note("turn", l.track.Next(), l.track.Next()-uint64(l.track.InFlight()))
	p.checkStall()
	clear(p.idle)
	p.check()
	switch {
	case l.stop.done:
		p.s.exited()
	case !busy:
		p.mode = simIdle
	}
}

// wakeLoop is called after a posted function or an edge.
func (p *simProcess) wakeLoop() {
	p.l.events.Wake()
	p.signalled = false
	p.mode = simAwake
}

// work runs one turn of a worker.
func (p *simProcess) work(i int) {
	busy := p.l.pool.Turn(i)
	p.idle[i] = !busy
	if !busy {
		return
	}
	p.s.note("work", uint64(i), 0)
	h := p.main.handlers[i]
	for _, c := range h.failed {
		p.retries[i] = append(p.retries[i], p.s.clock+p.s.plan.retryMin<<(c.tries-1))
	}
	h.failed = h.failed[:0]
}

// tryAgain makes workers with a retry that is due run.
func (p *simProcess) tryAgain() {
	for i, due := range p.retries {
		left := due[:0]
		for _, at := range due {
			if at <= p.s.clock {
				p.idle[i] = false
			} else {
				left = append(left, at)
			}
		}
		p.retries[i] = left
	}
}

// endDial ends the dial.
func (p *simProcess) endDial() {
	d := p.dial
	p.dial = nil
	var r dialResult
	switch {
	case d.fail || d.ctx.Err() != nil && p.s.rng.IntN(4) > 0:
		r.err = errors.New("refused by the simulation")
	default:
		p.dials++
		c := p.s.connected()
		r = dialResult{sock: &simSocket{socket{fd: c.num, kernel: c}, c}, addr: "sim"}
	}
	p.s.note("dialed", uint64(p.s.conns), 0)
	p.l.conn.dialEnded(r)
	p.wakeLoop()
}

// leave frees everything, as the gateway does at its exit or the kernel after a kill.
func (p *simProcess) leave(killed bool) {
	p.leaving = true
	p.drive.end(killed)
	if p.dial != nil {
		p.l.conn.cancel()
		p.dial = nil
	}
	if sock := p.l.conn.sock; sock != nil {
		sock.(*simSocket).c.watched = false
		sock.close()
	}
	if !killed {
		p.l.receiver.dropSlabs()
		if err := p.l.pool.Stop(); err != nil {
			p.s.failf("stop the pool: %v", err)
		}
	}
	p.l.slabs.close()
	p.s.proc = nil
}

func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
