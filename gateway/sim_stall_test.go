package gateway

import (
	"math/rand/v2"
	"time"
)

// simWait is what a process must show of --stall-after.
type simWait struct {
	from        time.Duration // when the wait began for a message to be done
	done        uint64        // messages that workers were done with, before the turn
	workersIdle bool          // before the turn no worker had anything to do
	reported    string        // shown after the last turn
}

// drawStall draws what the other draws do not depend on.
func drawStall(seed uint64) time.Duration {
	r := rand.New(rand.NewPCG(seed, 4))
	return among(r, NoTimeout, time.Millisecond, 20*time.Millisecond, 500*time.Millisecond, 10*time.Second)
}

func (p *simProcess) doneCount() uint64 {
	return p.l.stats.Messages.Load() - uint64(p.l.track.Working())
}

// beforeTurn notes what the loop is about to find.
func (p *simProcess) beforeTurn() {
	if p.l.track.Working() == 0 || p.l.out.Len() >= maxUnsent {
		p.stall.from = p.s.clock
	}
	p.stall.done, p.stall.workersIdle = p.doneCount(), true
	for _, idle := range p.idle {
		p.stall.workersIdle = p.stall.workersIdle && idle
	}
}

// stallDue is when a stall must be reported at the latest; zero: there may be none.
func (p *simProcess) stallDue() time.Duration {
	if p.cfg.StallAfter == NoTimeout || p.l.track.Working() == 0 || p.l.out.Len() >= maxUnsent || p.l.stop.done {
		return 0
	}
	return p.stall.from + p.cfg.StallAfter
}

// checkStall: what stalls is shown when it is time, with the same words until a message is done,
// and not afterwards.
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

// checkWaiting: every message that waits is counted once, where it is.
func (p *simProcess) checkWaiting() {
	at := p.l.waiting()
	if want := p.l.track.Working() + len(p.l.receiver.input.Msgs) - p.l.receiver.next; at.total() != want {
		p.s.failf("%d messages wait, not %d: %+v", want, at.total(), at)
	}
	if !p.stall.workersIdle || p.s.plan.output() || p.s.plan.slow > 0 {
		return // with slow handlers it is not known at what time of a turn a try was put off
	}
	want := waiting{rings: at.rings, key: at.key, unassigned: at.unassigned}
	for i := range p.idle {
		want.sink += len(p.main.handlers[i].deferred)
		if p.s.plan.deadLetters {
			want.dead += len(p.dead.handlers[i].deferred)
		}
		want.retry += len(p.retries[i])
	}
	if want.sink+want.dead > 0 {
		// Tries that have come wait on, where no more may be deferred.
		want.retry = max(want.retry, at.retry)
	}
	keyed := p.s.plan.keyed && p.s.plan.retries > 0
	if at.sink != want.sink || at.dead != want.dead || at.retry != want.retry || at.key > 0 && !keyed {
		p.s.failf("%+v wait, not %+v", at, want)
	}
}
