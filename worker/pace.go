package worker

import (
	"math"
	"sync/atomic"
	"time"
)

// Starver is a [Handler] that defers messages and knows whether it needs more of them to
// go on. One that gathers messages before it completes any must get more than its pace so
// far allows; one that is slow must not. A handler without this method counts as starved
// if it has completed nothing for a while.
type Starver interface {
	// Starved is called on the worker's goroutine, from time to time.
	Starved() bool
}

const (
	// Before its pace is known, a worker may have firstAllowance messages, or more if it
	// could do them within span at firstEach per message.
	firstAllowance = 8
	firstEach      = 625 * time.Millisecond
	// paceMemory and paceSample are the busy time and the number of messages after
	// which an estimate has replaced the one before, whichever comes first.
	paceMemory = float64(time.Second)
	paceSample = 256
	// paceSettled is how much busy time must be measured before a quota replaces
	// Config.FirstAllowance.
	paceSettled = time.Second
	// A handler at its quota counts as starved once it has completed nothing for
	// starveAfter, or for starvePaces messages at its pace if that is longer: one that reads
	// ahead and works slowly looks the same until then.
	starveAfter = time.Second
	starvePaces = 8
)

// pace measures how long a worker takes per message, and derives its quota: how many
// messages it can do within span. With no more than that, a drain ends in time. The worker
// owns it; the loop reads allowed.
type pace struct {
	span  time.Duration // 0: no limit
	each  float64       // nanoseconds per message; 0: unknown
	quota int64         // messages that the worker may have
	done  int           // messages finished after since
	since time.Time     // when the worker last finished something, or became busy
	idle  bool          // it had nothing to do since then

	busy    time.Duration // busy time measured so far
	settled time.Duration // busy time before which the first quota is kept

	lookAt time.Time   // when to look whether a silent handler is starved; zero: it is not silent
	timer  *time.Timer // wakes a parked worker at lookAt; nil: it was never needed

	// allowed is quota for the loop, plus the messages that wait for a retry. It is negative
	// while the pace is unknown: then the pool's latest quota counts instead, if larger.
	allowed atomic.Int64
}

func (p *pace) init(span time.Duration, first int) {
	p.span, p.idle = span, true
	p.quota = math.MaxInt32
	if span > 0 {
		p.quota = int64(max(firstAllowance, span/firstEach))
		if first > 0 {
			// The peer was promised that many, so a short measurement does not count.
			p.quota, p.settled = int64(first), paceSettled
		}
	}
	p.allowed.Store(-p.quota)
}

// begin notes that the worker starts on messages at now.
func (p *pace) begin(now time.Time) {
	if p.idle {
		p.idle, p.since = false, now
		p.lookAt = time.Time{}
	}
}

// update adds the messages finished up to now to the estimate. idle: no work is left.
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

// Allowance is how many messages the worker may have that it has not replied to. Any
// goroutine may call it. A worker that raises it sends a reply, possibly an empty one, so
// that the loop looks again.
func (w *Worker) Allowance() int {
	n := w.pace.allowed.Load()
	if n < 0 {
		n = max(-n, w.pool.quota.Load())
	}
	return int(n)
}

// keepPace updates the pace and the quota after a turn. Messages that wait for a retry do
// not count against the quota: the worker can do nothing about them now.
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

// waitsForMore reports whether the handler has deferred as many messages as the quota
// allows, so that only a higher quota brings more.
func (w *Worker) waitsForMore() bool {
	return w.pace.span > 0 && int64(w.main.open.count) >= w.pace.quota && w.in.empty() && w.room() > 0 && !w.draining.Load()
}

// widen doubles the quota of a handler that is starved, or that has been silent for all of
// span and so cannot drain in time anyway. False: it did not.
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

// armLook sets the timer by which a worker about to park looks again at a silent handler.
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

// mayLook reports, just before parking, whether widen is due.
func (w *Worker) mayLook() bool {
	return w.waitsForMore() && !w.pace.lookAt.IsZero() && !w.now().Before(w.pace.lookAt)
}
