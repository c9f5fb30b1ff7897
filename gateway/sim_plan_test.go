package gateway

import (
	"math/rand/v2"
	"time"
)

// simPlan holds what a seed draws before the first step: the gateway's settings, the server's
// behaviour, and the faults.
type simPlan struct {
	// The gateway's.
	ack                      string
	workers, ring, inFlight  int
	flushMax, flushPack      int
	maxMessage               int64
	smallSlabs               bool // slabs for a few messages instead of 16 KiB
	keyed                    bool
	retries                  int
	retryMin                 time.Duration
	deadLetters              bool
	state, exitOnClose       bool
	heartbeat, idle, connect time.Duration
	write, interval, redial  time.Duration
	drain, stall             time.Duration

	// The handlers', in percent.
	later, refuse, tooLarge int
	panics                  int // per thousand batches
	wait                    time.Duration
	straggle                int // percentage of deferred messages that wait for long

	// The server's.
	messages    int
	size        int
	keys        int
	first       uint64
	named       bool // its sessions have names
	turnAway    int  // percentage of logins that the server answers with BYE
	forget      int  // percentage of logins that get a new session although theirs exists
	adopt       bool // a client without a session gets the last one
	believe     bool // HELLO's seq counts as an ACKTO
	skipAcked   bool // acked messages are not redelivered
	gap, hold   int  // percentages of numbers that do not exist, and that arrive late
	parts       int  // percentage of messages in parts
	ping        int  // percentage of frames preceded by PING
	own         int  // percentage of side messages
	slow        int  // percentage of calls of a batch's methods before which the handler takes time
	welcomePing time.Duration

	// The network's.
	upCap, downCap int
	upWindow       int // bytes that the server's kernel accepts
	piece          int // most bytes delivered at once
	eintr          int // percentage of calls
	partial        int // percentage of short sends without a reason
	dialFails      int

	// The disk's: percentages, and the duration of a write.
	diskTakes            time.Duration
	diskFails, diskHangs int

	// The faults.
	faults, faultEvery int
	faultWeight        [simFaults]int
	tick               time.Duration // longest time between two steps
	jump               int           // per thousand steps: jumps to the next deadline although something could move
	bias               [simActors]int
}

// output reports whether messages are rendered with --output, unchanged. Deferred ones soon fill
// its memory. This is not drawn.
func (p *simPlan) output() bool { return p.messages%3 == 0 }

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

func among[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func drawPlan(r *rand.Rand) simPlan {
	const ms = time.Millisecond
	p := simPlan{
		ack: among(r, "each", "each", "ordered", "range", "range", "none"), workers: 1 + r.IntN(3),
		ring: 1 << r.IntN(7), inFlight: among(r, 1, 2, 3, 8, 16, 64, 100, 256),
		flushMax: among(r, 1, 2, 5, 32), flushPack: among(r, 0, 0, 1, 3),
		maxMessage: among[int64](r, 32, 100, 300, 600), smallSlabs: !chance(r, 15),
		keyed: chance(r, 40), retries: among(r, 0, 0, 1, 3), retryMin: among(r, ms, 50*ms, time.Second),
		deadLetters: chance(r, 20), state: chance(r, 60), exitOnClose: chance(r, 50),
		heartbeat: among(r, 100*ms, time.Second, 5*time.Second), idle: among(r, time.Second, 25*time.Second),
		connect: among(r, time.Second, 10*time.Second), write: among(r, time.Second, 300*time.Second),
		interval: among(r, ms, 20*ms, 100*ms), redial: among(r, ms, 100*ms), drain: among(r, time.Second, 10*time.Second),
	}
	p.drawServer(r)
	p.drawTrouble(r)
	return p
}

// drawSide has its own random source, so that it does not change the other draws.
func (p *simPlan) drawSide(r *rand.Rand) {
	p.own = among(r, 0, 0, 0, 30, 100)
	p.straggle = among(r, 0, 0, 5, 20)
	p.upWindow = 1 + r.IntN(among(r, 50, p.upCap, 2*p.upCap))
	if p.piece >= 1000 {
		p.upWindow += 1000 // else a flood would take too long
	}
}

// drawSlow has its own random source, too.
func (p *simPlan) drawSlow(r *rand.Rand) { p.slow = among(r, 0, 0, 0, 5, 50, 100) }

func (p *simPlan) drawServer(r *rand.Rand) {
	p.later, p.refuse, p.panics = among(r, 0, 20, 60, 100), among(r, 0, 0, 5, 30), among(r, 0, 0, 10)
	p.wait = among(r, 0, time.Millisecond, 100*time.Millisecond, 3*time.Second)
	p.messages, p.tooLarge = 20+r.IntN(120), among(r, 0, 0, 3, 15)
	p.size, p.keys = int(p.maxMessage)-r.IntN(int(p.maxMessage)-simHeader+1), among(r, 1, 2, 5, 50)
	p.first = among[uint64](r, 1, 1, 2, 1000, 1<<40, 1<<32-20)
	p.turnAway = among(r, 0, 0, 0, 20)
	p.named, p.forget, p.adopt = !chance(r, 20), among(r, 0, 0, 10, 40), chance(r, 50)
	p.believe, p.skipAcked = chance(r, 50), chance(r, 30)
	p.gap, p.hold = among(r, 0, 0, 3, 10), among(r, 0, 0, 3, 15)
	p.parts, p.ping = among(r, 0, 0, 20, 80), among(r, 0, 5, 20)
	p.welcomePing = among(r, 0, 0, 100*time.Millisecond, 2*time.Second)
}

func (p *simPlan) drawTrouble(r *rand.Rand) {
	p.upCap, p.downCap = 20+r.IntN(among(r, 100, 2000, 20000)), 20+r.IntN(among(r, 100, 2000, 50000))
	p.piece = among(r, 1, 20, 200, 5000, 50000)
	if p.piece == 1 {
		p.messages = min(p.messages, 40)
		p.size = min(p.size, 60)
	}
	p.eintr, p.partial, p.dialFails = among(r, 0, 5, 30), among(r, 0, 10, 50), among(r, 0, 20, 50)
	p.faults, p.faultEvery = among(r, 0, 1, 3, 8, 20), among(r, 20, 100, 400)
	for i := range p.faultWeight {
		p.faultWeight[i] = among(r, 0, 1, 1, 4)
	}
	p.tick, p.jump = among(r, 0, time.Microsecond, 50*time.Microsecond, time.Millisecond), among(r, 0, 1, 10, 50)
	if p.piece < 100 {
		p.tick = min(p.tick, 50*time.Microsecond)
	}
	for i := range simDisk { // drawDisk draws the rest
		p.bias[i] = among(r, 1, 3, 3, 10)
	}
}
