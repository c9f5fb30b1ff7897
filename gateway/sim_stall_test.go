package gateway

import (
	"math/rand/v2"
	"time"
)

// simWait is what --stall-after must report.
type simWait struct {
	from        time.Duration // start of the current wait
	done        uint64        // messages done before the turn
	workersIdle bool          // no worker had anything to do before the turn
	reported    string        // after the last turn
}

// drawStall has its own random source.
func drawStall(seed uint64) time.Duration {
	r := rand.New(rand.NewPCG(seed, 4))
	return among(r, NoTimeout, time.Millisecond, 20*time.Millisecond, 500*time.Millisecond, 10*time.Second)
}

func (p *simProcess) doneCount() uint64 {
	return p.l.stats.Messages.Load() - uint64(p.l.track.Working())
}

// beforeTurn records the state before a turn.
func (p *simProcess) beforeTurn() {
	if p.l.track.Working() == 0 || p.l.out.Len() >= maxUnsent {
		p.stall.from = p.s.clock
	}
	p.stall.done, p.stall.workersIdle = p.doneCount(), true
	for _, idle := range p.idle {
		p.stall.workersIdle = p.stall.workersIdle && idle
	}
}

// stallDue returns when a stall must be reported; 0: never, as things are.
func (p *simProcess) stallDue() time.Duration {
	if p.cfg.StallAfter == NoTimeout || p.l.track.Working() == 0 || p.l.out.Len() >= maxUnsent || p.l.stop.done {
		return 0
	}
	return p.stall.from + p.cfg.StallAfter
}

// checkStall checks that a stall is reported in time, unchanged until a message is done, and not
// afterwards.
func (p *simProcess) checkStall() {
	if p.doneCount() != p.stall.done {
		p.stall.from, p.stall.reported = p.s.clock, ""
	}
	words, due := p.l.stats.Stalled(), p.stallDue()
	late := due != 0 && p.s.clock >= due
	switch {
	case words == p.stall.reported && (words != "" || !late):
		return
	case words == "" && late:
		p.s.failf("no message is done since %v, and that is not shown", p.stall.from)
	case p.stall.reported != "" || !late:
		p.s.failf("a message is done or was shown to wait: %q, then %q", p.stall.reported, words)
	}
	p.stall.reported = words
	p.checkWaiting()
}

// checkWaiting checks that every waiting message is counted once, in the right place.
func (p *simProcess) checkWaiting() {
	at := p.l.backlog()
	if want := p.l.track.Working() + len(p.l.receiver.input.Msgs) - p.l.receiver.next; at.total() != want {
		p.s.failf("%d messages wait, not %d: %+v", want, at.total(), at)
	}
	if !p.stall.workersIdle || p.s.plan.output() || p.s.plan.slow > 0 {
		return // a slow handler may fail a message at any time during a turn
	}
	want := backlog{rings: at.rings, key: at.key, unassigned: at.unassigned}
	for i := range p.idle {
		want.sink += len(p.main.handlers[i].deferred)
		if p.s.plan.deadLetters {
			want.dead += len(p.dead.handlers[i].deferred)
		}
		want.retry += len(p.retries[i])
	}
	if want.sink+want.dead > 0 {
		// Retries that are due keep waiting if no more messages may be deferred.
		want.retry = max(want.retry, at.retry)
	}
	keyed := p.s.plan.keyed && p.s.plan.retries > 0
	if at.sink != want.sink || at.dead != want.dead || at.retry != want.retry || at.key > 0 && !keyed {
		p.s.failf("%+v wait, not %+v", at, want)
	}
}
