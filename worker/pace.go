package worker

import (
	"math"
	"sync/atomic"
	"time"
)

// Starver is a [Handler] that defers messages and knows whether it needs more of them:
// it has passed on all that it was given, and nothing says that those are being worked
// on. One that gathers messages before it completes any must get more than its pace so
// far allows; one that is slow must not. A handler without this method counts as starved
// when it has completed nothing for a while.
type Starver interface {
	// Starved is called on the worker's goroutine, from time to time.
	Starved() bool
}

const (
	// Before any pace is known, a worker may have firstAllowance messages, and more only
	// where a message that takes firstEach leaves time for them.
	firstAllowance = 8
	firstEach      = 625 * time.Millisecond
	// paceMemory and paceSample are the busy time and the number of messages after
	// which an estimate has replaced the one before, whichever comes first.
	paceMemory = float64(time.Second)
	paceSample = 256
	// paceSettled is how long a pace has to be measured where much was allowed at first.
	paceSettled = time.Second
	// starveAfter is how long a handler that has all it may have must have completed
	// nothing before it can be taken for starved, and starvePaces the same in messages at
	// its pace: one that reads ahead and works slowly looks just like it.
	starveAfter = time.Second
	starvePaces = 8
)

// pace measures how long a worker takes for a message, and derives from it how many
// messages it may have at once: as many as it can do within span. A drain then ends in
// time, whatever the handler takes. The worker owns it; the loop reads allowed.
type pace struct {
	span  time.Duration // 0: no limit
	each  float64       // nanoseconds for a message; 0: unknown
	quota int64         // messages that can be done within span
	done  int           // messages finished since since
	since time.Time     // when the worker last finished something, or became busy
	idle  bool          // it had nothing to do since then

	busy    time.Duration // measured so far
	settled time.Duration // how much must be before the first quota gives way

	lookAt time.Time // when a silent handler may be starved; zero: it was not silent yet
	timer  *time.Timer

	// allowed is how many messages the worker may have. It is negative while the pace is
	// unknown: then it may have as many as the pool's last, if that is more.
	allowed atomic.Int64
}

func (p *pace) init(span time.Duration, first int) {
	p.span, p.idle = span, true
	p.quota = math.MaxInt32
	if span > 0 {
		p.quota = int64(max(firstAllowance, span/firstEach))
		if first > 0 {
			// A peer was promised that many, so a first impression does not count.
			p.quota, p.settled = int64(first), paceSettled
		}
	}
	p.allowed.Store(-p.quota)
}

// begin notes that the worker takes messages at now.
func (p *pace) begin(now time.Time) {
	if p.idle {
		p.idle, p.since = false, now
		p.lookAt = time.Time{}
	}
}

// update takes what was finished up to now. idle: nothing is left to be worked on.
func (p *pace) update(now time.Time, idle bool) {
	took := float64(max(now.Sub(p.since), 1))
	sample := took / float64(p.done)
	weight := 1.0
	if p.each > 0 {
		weight = min(1, max(took/paceMemory, float64(p.done)/paceSample))
	}
	p.each += (sample - p.each) * weight
	if p.busy += now.Sub(p.since); p.span > 0 && p.busy >= p.settled {
		p.quota = int64(max(1, min(float64(p.span)/p.each, math.MaxInt32)))
	}
	p.done, p.since, p.idle, p.lookAt = 0, now, idle, time.Time{}
}

func (p *pace) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// Allowance is how many messages the worker may have at once, given to it and not
// replied to. Any goroutine may ask; a worker that raises it sends a reply, if only an
// empty one.
func (w *Worker) Allowance() int {
	n := w.pace.allowed.Load()
	if n < 0 {
		n = max(-n, w.pool.quota.Load())
	}
	return int(n)
}

// keepPace takes the measure of a turn. Messages that wait for their next try do not
// count: the worker can do nothing about them now.
func (w *Worker) keepPace() {
	p := &w.pace
	if p.span == 0 {
		return
	}
	if p.done > 0 {
		p.update(w.now(), w.in.empty() && w.main.open.count == 0)
		w.pool.quota.Store(p.quota)
	}
	allowed := p.quota
	if w.retry != nil {
		allowed += int64(len(w.retry.due))
	}
	if p.each == 0 {
		allowed = -allowed
	}
	if allowed != p.allowed.Load() {
		p.allowed.Store(allowed)
	}
}

// waitsForMore reports whether the handler has deferred all that the worker may have, so
// that only a higher quota would bring it more.
func (w *Worker) waitsForMore() bool {
	return w.pace.span > 0 && int64(w.main.open.count) >= w.pace.quota && w.in.empty() && w.room() > 0 && !w.draining.Load()
}

// widen doubles the quota of a handler that is starved, or has been silent for so long
// that it cannot drain in time whatever it has; false when it need not.
func (w *Worker) widen() bool {
	p := &w.pace
	if !w.waitsForMore() {
		return false
	}
	now := w.now()
	if now.Before(p.lookAt) {
		return false
	}
	silent := !p.lookAt.IsZero()
	p.lookAt = now.Add(min(p.span, max(starveAfter, time.Duration(starvePaces*p.each))))
	if !silent {
		return false
	}
	if s, asks := w.main.handler.(Starver); asks && now.Sub(p.since) < p.span && !s.Starved() {
		return false
	}
	p.quota = min(2*p.quota, math.MaxInt32)
	w.took = true // the loop may wait for this room
	return true
}

// armLook sees to it that a worker about to park looks again at a silent handler.
func (w *Worker) armLook() {
	p := &w.pace
	if !w.waitsForMore() || p.lookAt.IsZero() {
		return
	}
	wait := p.lookAt.Sub(w.now())
	if p.timer == nil {
		p.timer = time.AfterFunc(wait, w.Wake)
	} else {
		p.timer.Reset(wait)
	}
}

// mayLook is the second look before parking, at what widen looks at.
func (w *Worker) mayLook() bool {
	return w.waitsForMore() && !w.pace.lookAt.IsZero() && !w.now().Before(w.pace.lookAt)
}
