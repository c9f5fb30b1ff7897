package pool

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// Before its pace is known, a worker may have firstAllowance messages, or more if it
	// could do them within span at firstEach per message.
	firstAllowance = 4
	firstEach      = 1250 * time.Millisecond
	// The pace is forgotten over paceTime of work, or over paceMessages, whichever comes
	// first.
	paceTime     = float64(time.Second)
	paceMessages = 256
	// slowStart is by how many messages the quota can rise for each one that is finished: a
	// few fast ones prove little.
	slowStart = 4
	// A silent handler is given more once it has completed nothing for all of span, and then
	// again each span/starveSteps: one that reads ahead and works slowly looks the same as one
	// that waits for more, until then.
	starveSteps = 8
	// drainSilence is how long a handler must have completed nothing to be told of a drain
	// although messages wait for a key or another try.
	drainSilence = time.Second
)

// pace measures how long a worker takes per message, and derives its quota: how many
// messages it can do within span. With no more than that, a drain ends in time. The worker
// owns it; the loop reads allowed.
type pace struct {
	span  time.Duration // 0: no limit
	quota int64         // messages that the worker may have
	done  int           // messages finished after since
	later int           // those of them that were deferred
	since time.Duration // when the worker last finished something, or became busy
	idle  bool          // it had nothing to do since then

	each  float64 // nanoseconds per message; 0: unknown
	total int64   // messages finished so far

	lookAt time.Duration // when to look whether a silent handler is starved; 0: it is not silent
	timer  *time.Timer   // wakes a parked worker at lookAt; nil: it was never needed

	// allowed is quota for the loop, plus the messages that wait for a retry. It is negative
	// while the pace is unknown: then the pool's latest quota counts instead, if larger.
	allowed atomic.Int64
}

func (p *pace) init(span time.Duration) {
	p.span, p.idle = span, true
	p.quota = math.MaxInt32
	if span > 0 {
		p.quota = p.first()
	}
	p.allowed.Store(-p.quota)
}

// first is the quota before anything is known.
func (p *pace) first() int64 { return int64(max(firstAllowance, p.span/firstEach)) }

// begin notes that the worker starts on messages at now.
func (p *pace) begin(now time.Duration) {
	if p.idle {
		p.idle, p.since = false, now
		p.lookAt = 0
	}
}

// update adds the messages finished up to now to the estimate; left more are with the
// handler. idle: no work is left.
func (p *pace) update(now time.Duration, left int, idle bool) {
	took, done := float64(max(now-p.since, 1)), float64(p.done)
	weight := 1.0
	if p.each > 0 {
		weight = min(1, max(took/paceTime, done/paceMessages))
	}
	p.each += (took/done - p.each) * weight
	p.total += int64(p.done)
	if p.span > 0 {
		able := int64(min(float64(p.span)/p.each, math.MaxInt32))
		p.quota = max(1, min(max(able, p.batch(took, left)), p.first()+slowStart*p.total))
	}
	p.done, p.later, p.since, p.idle, p.lookAt = 0, 0, now, idle, 0
}

// batch is how many messages a handler may have that completes at least half of those it has
// deferred together, took after it did so last: twice as many may take no longer. For other
// handlers it is 0.
func (p *pace) batch(took float64, left int) int64 {
	held := int64(p.later + left)
	switch {
	case p.later < 2 || held > int64(2*p.later):
		return 0
	case took > float64(p.span):
		return held // fewer would not make it faster
	}
	return 2 * held
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
	if p.done > 0 {
		p.update(w.now(), w.admitted(), w.in.empty() && w.main.pending.count == 0)
		w.pool.quota.Store(p.quota)
	}
	if p.span == 0 {
		return
	}
	allowed := p.quota
	if w.retry != nil {
		allowed += int64(len(w.retry.due))
	}
	if p.each == 0 {
		allowed = -allowed
	}
	if before := p.allowed.Load(); allowed != before {
		p.allowed.Store(allowed)
		if max(allowed, -allowed) > max(before, -before) {
			w.took = true // the loop may wait for this room, though nothing is finished
		}
	}
}

// admitted is how many messages taken from the ring count against the quota: those that the handler
// has deferred, and those behind one of their key.
func (w *Worker) admitted() int {
	n := w.main.pending.count
	if w.retry != nil {
		n += w.retry.queued
	}
	return n
}

// waitsForMore reports whether the handler has deferred as many messages as the quota
// allows, so that only a higher quota brings more.
func (w *Worker) waitsForMore() bool {
	return w.pace.span > 0 && !w.draining.Load() && int64(w.admitted()) >= w.pace.quota &&
		w.main.pending.count > 0 && w.vacant() && w.in.empty() != w.holdBack
}

// widen doubles the quota of a handler that has been silent for all of span, so that it
// cannot drain in time whatever it has: at once if it is starved. False: it did not.
func (w *Worker) widen() bool {
	p := &w.pace
	if !w.waitsForMore() {
		return false
	}
	now := w.now()
	if now < p.lookAt {
		return false
	}
	first := p.lookAt == 0
	p.lookAt = now + p.span/starveSteps
	if first {
		p.lookAt = p.since + p.span
		return false
	}
	if starved := w.main.completer.hooks.Starved; starved != nil && now-p.since < 2*p.span && !starved() {
		return false
	}
	p.quota = min(2*p.quota, math.MaxInt32)
	w.took = true // the loop may wait for this room
	return true
}

// armLook sets the timer by which a worker about to park looks again at a silent handler.
func (w *Worker) armLook() {
	p := &w.pace
	at := p.lookAt
	switch {
	case w.draining.Load() && w.awaitsSilence():
		at = p.since + drainSilence // silent
	case !w.waitsForMore() || at == 0:
		return
	}
	wait := at - w.now()
	if p.timer == nil {
		p.timer = time.AfterFunc(wait, w.Wake)
	} else {
		p.timer.Reset(wait)
	}
}

// mayLook reports, just before parking, whether widen is due.
func (w *Worker) mayLook() bool {
	return w.waitsForMore() && w.pace.lookAt != 0 && w.now() >= w.pace.lookAt
}
